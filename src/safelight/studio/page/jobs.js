// Batches: what runs, what is done, what failed and why.

import { follow, getJson, post, remove } from "./api.js";
import { guarded, make, seconds } from "./dom.js";

const WORDS = { waiting: "waits", running: "running", done: "done", failed: "ended with failures", cancelled: "cancelled", "cut off": "cut off" };

const VERBS = { enhance: "Restore", compress: "Compress" }, OTHERS = { augment: "Augment", verdict: "Verdict on", train: "Train" };

export function jobList() {
  const list = make("div", {}, make("p", { class: "quiet" }, "No batch yet."));
  const element = make("section", { class: "card", "aria-label": "Batches" }, make("h2", {}, "Batches"), list);
  const cards = new Map();
  const refresh = guarded(async () => {
    const jobs = await getJson("/api/jobs");
    if (!jobs.length) list.replaceChildren(make("p", { class: "quiet" }, "No batch yet. Export one above."));
    else list.replaceChildren(...jobs.map(job => cardOf(job)));
  });
  const cardOf = job => {
    if (!cards.has(job.id)) cards.set(job.id, { element: make("article", { class: "job", "aria-label": `Batch of ${job.names.length}` }), stop: null });
    const card = cards.get(job.id);
    draw(card, job);
    if (["waiting", "running"].includes(job.state) && !card.stop) card.stop = follow(job.id, state => { if (!["waiting", "running"].includes(state.state)) card.stop = null; draw(card, state); });
    return card.element;
  };
  const draw = (card, job) => {
    const act = (what, words, kind = "") => make("button", { type: "button", class: `small ${kind}`, onclick: guarded(async () => { cardOf(await post(`/api/jobs/${job.id}/${what}`)); }) }, words);
    const failed = job.outcomes.filter(one => one.status === "failed"), warned = job.outcomes.filter(one => one.warnings.length);
    const isOpen = ["waiting", "running"].includes(job.state);
    const what = VERBS[job.verb] ? `${VERBS[job.verb]} ${job.names.length} picture${job.names.length > 1 ? "s" : ""}` : `${OTHERS[job.verb]} ${job.names[0]}`;
    const head = `${what}: ${job.is_cancelling ? "is being cancelled" : WORDS[job.state]}`;
    const left = job.state === "running" && job.seconds_left ? `, about ${seconds(job.seconds_left)} left` : "";
    card.element.replaceChildren(...[
      make("h3", {}, head),
      isOpen && make("progress", { max: job.total || 1, value: job.total ? job.done : 0, "aria-label": "Progress of the batch" }),
      isOpen && make("p", { class: "quiet" }, job.what ? `${job.what}${left}` : "waits for its turn"),
      job.report.length > 0 && make("ul", {}, job.report.map(line => make("li", {}, line))),
      job.error && make("p", { class: "bad" }, job.error),
      failed.length > 0 && make("div", {}, make("p", { class: "bad" }, `${failed.length} failed:`), make("ul", {}, failed.map(one => make("li", {}, one.error)))),
      warned.length > 0 && make("details", {}, make("summary", {}, `${warned.length} with a note`), make("ul", {}, warned.map(one => make("li", {}, `${one.source}: ${one.warnings.join("; ")}`)))),
      !isOpen && job.folder !== null && make("p", { class: "quiet" }, `in the folder ${job.folder}`),
      !isOpen && job.files.length > 0 && make("details", {}, make("summary", {}, `${job.files.length} file${job.files.length > 1 ? "s" : ""}`), make("ul", {}, job.files.map(name => make("li", {}, make("a", { href: `/api/jobs/${job.id}/files/${name.split("/").map(encodeURIComponent).join("/")}`, download: "" }, name))))),
      make("div", { class: "row" },
        !isOpen && job.files.length > 0 && make("a", { class: "button small", href: `/api/jobs/${job.id}/zip`, download: "" }, "Download all as zip"),
        isOpen && !job.is_cancelling && act("cancel", "Cancel"),
        ["cancelled", "cut off", "failed"].includes(job.state) && act("resume", "Go on", "main"),
        !isOpen && make("button", { type: "button", class: "small", onclick: guarded(async () => { await remove(`/api/jobs/${job.id}`); cards.delete(job.id); await refresh(); }) }, "Forget")),
    ].filter(Boolean));
  };
  return { element, refresh };
}
