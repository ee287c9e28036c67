// Batches: what runs, what is done, what failed and why.

import { followJobs, getJson, onJobs, post, remove } from "./api.js";
import { guarded, make, seconds } from "./dom.js";

const WORDS = { waiting: "waits", running: "running", done: "done", failed: "ended with failures", cancelled: "cancelled", "cut off": "cut off" };

const VERBS = { enhance: "Restore", compress: "Compress" }, OTHERS = { augment: "Augment", verdict: "Verdict on", train: "Train" };

const addressOf = (job, name) => `/api/jobs/${job.id}/files/${name.split("/").map(encodeURIComponent).join("/")}`;

const isOpen = job => ["waiting", "running"].includes(job.state);

export function jobList() {
  const list = make("div", {}, make("p", { class: "quiet" }, "No batch yet."));
  const element = make("section", { class: "card", "aria-label": "Batches" }, make("h2", {}, "Batches"), list);
  const cards = new Map();
  const refresh = guarded(async () => {
    const jobs = await getJson("/api/jobs");
    if (!jobs.length) list.replaceChildren(make("p", { class: "quiet" }, "No batch yet. Export one above."));
    else list.replaceChildren(...jobs.map(job => cardOf(job)));
    if (jobs.some(isOpen)) followJobs();
  });
  const cardOf = job => {
    if (!cards.has(job.id)) cards.set(job.id, make("article", { class: "job", "aria-label": `Batch of ${job.names.length}` }));
    const card = cards.get(job.id);
    draw(card, job);
    return card;
  };
  onJobs(jobs => { for (const job of jobs) if (cards.has(job.id)) draw(cards.get(job.id), job); });
  const draw = (card, job) => {
    const act = (what, words, kind = "") => make("button", { type: "button", class: `small ${kind}`, onclick: guarded(async () => { cardOf(await post(`/api/jobs/${job.id}/${what}`)); followJobs(); }) }, words);
    const failed = job.outcomes.filter(one => one.status === "failed"), warned = job.outcomes.filter(one => one.warnings.length);
    const open = isOpen(job), focused = card.contains(document.activeElement) ? document.activeElement.textContent : null;
    const what = VERBS[job.verb] ? `${VERBS[job.verb]} ${job.names.length} picture${job.names.length > 1 ? "s" : ""}` : `${OTHERS[job.verb]} ${job.names[0]}`;
    const head = `${what}: ${job.is_cancelling ? "is being cancelled" : WORDS[job.state]}`;
    const left = job.state === "running" && job.seconds_left ? `, about ${seconds(job.seconds_left)} left` : "";
    card.replaceChildren(...[
      make("h3", {}, head),
      open && make("progress", { max: job.total || 1, value: job.total ? job.done : 0, "aria-label": "Progress of the batch" }),
      open && make("p", { class: "quiet" }, job.what ? `${job.what}${left}` : "waits for its turn"),
      job.report.length > 0 && make("ul", {}, job.report.map(line => make("li", {}, line))),
      ...job.files.filter(name => name.endsWith(".svg")).map(name => make("img", { class: "plate", src: addressOf(job, name), alt: "diagram of the results" })),
      job.error && make("p", { class: "bad" }, job.error),
      failed.length > 0 && make("div", {}, make("p", { class: "bad" }, `${failed.length} failed:`), make("ul", {}, failed.map(one => make("li", {}, one.error)))),
      warned.length > 0 && make("details", {}, make("summary", {}, `${warned.length} with a note`), make("ul", {}, warned.map(one => make("li", {}, `${one.source}: ${one.warnings.join("; ")}`)))),
      !open && job.folder !== null && make("p", { class: "quiet" }, `in the folder ${job.folder}`),
      !open && job.files.length > 0 && make("details", {}, make("summary", {}, `${job.files.length} file${job.files.length > 1 ? "s" : ""}`), make("ul", {}, job.files.map(name => make("li", {}, make("a", { href: addressOf(job, name), download: "" }, name))))),
      make("div", { class: "row" },
        !open && job.files.length > 0 && make("a", { class: "button small", href: `/api/jobs/${job.id}/zip`, download: "" }, "Download all as zip"),
        open && !job.is_cancelling && act("cancel", "Cancel"),
        ["cancelled", "cut off", "failed"].includes(job.state) && act("resume", "Go on", "main"),
        !open && make("button", { type: "button", class: "small", onclick: guarded(async () => { await remove(`/api/jobs/${job.id}`); cards.delete(job.id); await refresh(); }) }, "Forget")),
    ].filter(Boolean));
    if (focused) [...card.querySelectorAll("button, a, summary")].find(one => one.textContent === focused)?.focus();
  };
  return { element, refresh };
}
