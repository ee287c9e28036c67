// Batches: what runs, what is done, what failed and why.

import { followJobs, getJson, onJobs, post, remove } from "./api.js";
import { guarded, make, say, seconds } from "./dom.js";

const WORDS = { waiting: "waits", running: "running", done: "done", failed: "ended with failures", cancelled: "cancelled", "cut off": "cut off" };

const VERBS = { enhance: "Restore", compress: "Compress" }, OTHERS = { augment: "Augment", verdict: "Verdict on", train: "Train" };

const addressOf = (job, name) => `/api/jobs/${job.id}/files/${name.split("/").map(encodeURIComponent).join("/")}`;

const nameOf = job => VERBS[job.verb] ? `${VERBS[job.verb]} ${job.names.length} picture${job.names.length > 1 ? "s" : ""}` : `${OTHERS[job.verb]} ${job.names[0]}`;
const chosenIn = job => [job.settings.strength !== undefined && `strength ${Number(job.settings.strength).toFixed(2)}`, job.settings.quality !== undefined && job.verb === "compress" && `quality ${job.settings.quality}`, `begun ${new Date(1000 * job.created).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`].filter(Boolean).join(", ");

const isOpen = job => ["waiting", "running"].includes(job.state);

export function jobList() {
  const list = make("div", {}, make("p", { class: "quiet" }, "No batch yet. Its progress and its files will stand here."));
  const heading = make("h2", { tabindex: "-1" }, "Batches"), element = make("section", { class: "card", "aria-label": "Batches" }, heading, list);
  const cards = new Map();
  const refresh = guarded(async () => {
    const jobs = await getJson("/api/jobs");
    if (!jobs.length) list.replaceChildren(make("p", { class: "quiet" }, "No batch yet. Its progress and its files will stand here."));
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
  const forget = guarded(async job => {
    if (job.folder === null && job.file_count && !confirm(`The studio keeps ${job.file_count} files of this batch. Delete them?`)) return;
    await remove(`/api/jobs/${job.id}`);
    cards.delete(job.id);
    await refresh();
    heading.focus();
  });
  const draw = (card, job) => {
    const act = (what, words, kind = "") => make("button", { type: "button", class: `small ${kind}`, onclick: guarded(async () => { cardOf(await post(`/api/jobs/${job.id}/${what}`)); followJobs(); }) }, words);
    const failed = job.outcomes.filter(one => one.status === "failed"), warned = job.outcomes.filter(one => one.warnings.length);
    const open = isOpen(job), focused = card.contains(document.activeElement) ? document.activeElement.textContent : null, unfolded = new Set([...card.querySelectorAll("details[open]")].map(one => one.dataset.what));
    if (card.dataset.version === String(job.version)) return;
    if (card.dataset.state && card.dataset.state !== job.state && !open && element.isConnected) say(`${nameOf(job)}: ${WORDS[job.state]}`);
    Object.assign(card.dataset, { state: job.state, version: String(job.version) });
    const details = (what, words, ...inner) => make("details", { dataset: { what }, open: unfolded.has(what) }, make("summary", {}, words), ...inner);
    const head = `${nameOf(job)}: ${job.is_cancelling ? "is being cancelled" : WORDS[job.state]}`;
    const left = job.state === "running" && job.seconds_left ? `, about ${seconds(job.seconds_left)} left` : "";
    card.replaceChildren(...[
      make("h3", { tabindex: "-1" }, head),
      make("p", { class: "quiet" }, chosenIn(job)),
      open && make("progress", { max: job.total || 1, value: job.total ? job.done : 0, "aria-label": "Progress of the batch" }),
      open && make("p", { class: "quiet" }, job.what ? `${job.what}${left}` : "waits for its turn"),
      job.report.length > 0 && make("ul", {}, job.report.map(line => make("li", {}, line))),
      ...job.files.filter(name => name.endsWith(".svg")).map(name => make("img", { class: "plate", src: addressOf(job, name), alt: "diagram of the results" })),
      job.error && make("p", { class: "bad" }, job.error),
      failed.length > 0 && make("div", {}, make("p", { class: "bad" }, `${failed.length} failed:`), make("ul", {}, failed.map(one => make("li", {}, one.error)))),
      warned.length > 0 && details("notes", `${warned.length} with a note`, make("ul", {}, warned.map(one => make("li", {}, `${one.source}: ${one.warnings.join("; ")}`)))),
      !open && job.folder !== null && make("p", { class: "quiet" }, `in the folder ${job.folder}`),
      !open && job.files.length > 0 && details("files", `${job.file_count} file${job.file_count > 1 ? "s" : ""}`, make("ul", {}, job.files.map(name => make("li", {}, make("a", { href: addressOf(job, name), download: "" }, name)))), job.file_count > job.files.length && make("p", {}, `and ${job.file_count - job.files.length} more`)),
      make("div", { class: "row" },
        !open && job.files.length > 0 && make("a", { class: "button small", href: `/api/jobs/${job.id}/zip`, download: "" }, "Download all as zip"),
        open && !job.is_cancelling && act("cancel", "Cancel"),
        ["cancelled", "cut off", "failed"].includes(job.state) && act("resume", "Go on", "main"),
        !open && make("button", { type: "button", class: "small", onclick: () => forget(job) }, job.folder === null && job.file_count ? "Delete the results" : "Remove from the list")),
    ].filter(Boolean));
    if (focused !== null) ([...card.querySelectorAll("button, a, summary")].find(one => one.textContent === focused) ?? card.querySelector("h3")).focus();
  };
  return { element, refresh };
}
