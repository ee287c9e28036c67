// The list of pictures, and the place to drop more.

import { getJson, remove, upload } from "./api.js";
import { choice, guarded, make, mark, say } from "./dom.js";

const kept = { pictures: [], failures: [], model: null, current: null, listeners: new Set() };

// The model that looks at a dropped picture before it is asked to.
export function lookWith(model) { kept.model = model; }
export const current = () => kept.current;
export const all = () => kept.pictures;
export function onChange(listener) { kept.listeners.add(listener); return () => kept.listeners.delete(listener); }
const tell = what => { for (const listener of kept.listeners) listener(what); };

export const refresh = guarded(async () => {
  kept.pictures = await getJson("/api/pictures");
  if (kept.current && !kept.pictures.some(one => one.id === kept.current.id)) kept.current = null;
  tell("list");
});

let ticket = 0;
export const choose = guarded(async id => {
  const mine = ++ticket;
  tell("opening");
  try {
    const found = await getJson(`/api/pictures/${id}`);
    if (mine === ticket) kept.current = found;  // the one that was clicked last
  } finally {
    if (mine === ticket) tell("chosen");
  }
});

async function* filesOf(entry, path = "") {  // of a dropped folder, all files below it
  if (entry.isFile) yield [await new Promise((resolve, reject) => entry.file(resolve, reject)), path + entry.name];
  else {
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const one of part) yield* filesOf(one, `${path}${entry.name}/`);
    }
  }
}

async function collected(transfer) {
  const entries = [...(transfer.items ?? [])].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map(file => [file, file.name]);
  const found = [];
  for (const entry of entries) for await (const one of filesOf(entry)) found.push(one);
  return found.filter(([, name]) => !name.split("/").some(part => part.startsWith(".")));
}

export async function add(files, onCount = () => {}) {
  const failures = [];
  let isFirst = true, count = 0, twice = 0;
  for (const [file, name] of files) {
    onCount(++count, files.length, name);
    try {
      const known = new Set(kept.pictures.map(one => one.id)), isShown = isFirst && (!kept.current || files.length === 1), added = await upload(file, name, isShown ? kept.model : null);
      if (known.has(added.id)) twice++;
      if (isShown) choose(added.id).then(refresh);  // at once, while the others are on their way
      else if (count % 25 === 0) refresh();
      isFirst = false;
    } catch (error) { failures.push(error.message.startsWith(`${name.split("/").at(-1)}:`) ? error.message : `${name}: ${error.message}`); }
  }
  if (files.length > 1 || failures.length) await refresh();
  kept.failures.push(...failures);
  if (failures.length) { say(`${failures.length} of ${files.length} files could not be taken. They stand below the place to drop.`); tell("failures"); }
  if (twice) say(`${twice} of ${files.length} files were in the list already.`);
}

// Which pictures a batch is of: a field, and a function that lists them.
export function whichPictures(hasFolder, onCount = () => {}) {
  let which = null;  // what a person has chosen
  const of = { one: one => one.id === kept.current?.id, dropped: one => one.is_dropped, folder: one => !one.is_dropped };
  const field = make("div", {}), chosen = () => which ?? (kept.pictures.filter(of.dropped).length > 1 ? "dropped" : "one");
  const fill = () => {
    const count = key => kept.pictures.filter(of[key]).length, several = key => `${key === "dropped" ? "All that were dropped" : "All of the folder"}: ${count(key)}`;
    const options = [["one", "The open picture"], ["dropped", several("dropped")], ...(hasFolder ? [["folder", several("folder")]] : [])];
    field.replaceChildren(choice("Which", options, chosen(), value => { which = value; onCount(); }));
    onCount();
  };
  const count = () => kept.pictures.filter(of[chosen()]).length;
  onChange(fill);
  setTimeout(fill);
  const listed = () => {
    const found = kept.pictures.filter(of[chosen()]);
    if (!found.length) throw new Error("There is no such picture. Drop one, or choose others.");
    return found.map(one => one.id);
  };
  return { field, listed, count };
}

export function pictureList() {
  const list = make("ul", { class: "plain" });
  const count = make("p", { class: "quiet", role: "status" });
  const file = make("input", { type: "file", multiple: true, hidden: true, "aria-label": "Choose pictures" });
  const folder = make("input", { type: "file", hidden: true, webkitdirectory: true, "aria-label": "Choose a folder" });
  const take = guarded(async files => { if (files.length) await add(files, (k, n, name) => { count.textContent = `taking ${k} of ${n}: ${name}`; }); });
  file.addEventListener("change", () => { take([...file.files].map(one => [one, one.name])); file.value = ""; });
  folder.addEventListener("change", () => { take([...folder.files].map(one => [one, one.webkitRelativePath || one.name]).filter(([, name]) => !name.split("/").some(part => part.startsWith(".")))); folder.value = ""; });
  const drop = make("div", { class: "drop" }, make("p", {}, "Drop pictures or folders here"),
    make("div", { class: "row" }, make("button", { type: "button", class: "small", onclick: () => file.click() }, "Choose files"), make("button", { type: "button", class: "small", onclick: () => folder.click() }, "Choose a folder")), file, folder);
  const failed = make("details", { hidden: true, class: "bad" }), clear = make("button", { type: "button", class: "small", hidden: true, onclick: guarded(async () => {
    const dropped = kept.pictures.filter(one => one.is_dropped);
    if (!confirm(`Remove ${dropped.length} dropped pictures from the studio? Your own files stay.`)) return;
    kept.current = null; ++ticket; tell("chosen");
    for (const one of dropped) await remove(`/api/pictures/${one.id}`);
    kept.failures.length = 0; tell("failures");
    await refresh();
  }) }, "Clear the list");
  const element = make("section", { class: "pictures", "aria-label": "Pictures" }, drop, failed, make("div", { class: "row" }, count, clear), list);
  for (const target of [document.body]) {
    target.addEventListener("dragover", () => drop.classList.add("over"));
    target.addEventListener("dragleave", () => drop.classList.remove("over"));
    target.addEventListener("drop", guarded(async event => { drop.classList.remove("over"); if (element.isConnected) await take(await collected(event.dataTransfer)); }));
  }
  const entry = one => make("li", { dataset: { id: one.id } },
    make("button", { type: "button", title: one.name, onclick: () => choose(one.id) }, make("img", { src: `/api/pictures/${one.id}/thumbnail`, alt: "", loading: "lazy" }), make("span", {}, make("span", { class: "file" }, one.name.split("/").at(-1)), one.name.includes("/") && make("span", { class: "quiet folder" }, one.name.split("/").slice(0, -1).join("/")))),
    one.is_dropped && make("button", { type: "button", class: "away small", "aria-label": `Remove ${one.name} from the studio`, onclick: guarded(async event => {
      const line = event.target.closest("li"), near = line.nextElementSibling ?? line.previousElementSibling;
      if (kept.current?.id === one.id) { kept.current = null; ++ticket; tell("chosen"); }
      await remove(`/api/pictures/${one.id}`);
      await refresh();
      list.querySelector(`[data-id="${near?.dataset.id}"] .away`)?.focus();
    }) }, "×"));
  onChange(what => {
    if (what === "failures") {
      failed.hidden = !kept.failures.length;
      failed.replaceChildren(make("summary", {}, `${kept.failures.length} file${kept.failures.length > 1 ? "s" : ""} could not be taken`), make("ul", {}, kept.failures.map(line => make("li", {}, line))));
      return;
    }
    clear.hidden = !kept.pictures.some(one => one.is_dropped);
    if (what !== "list") { mark(list.children, line => line.dataset.id === kept.current?.id); return; }
    count.textContent = kept.pictures.length ? `${kept.pictures.length} picture${kept.pictures.length > 1 ? "s" : ""}` : "";
    const known = new Map([...list.children].map(line => [line.dataset.id, line]));
    list.replaceChildren(...kept.pictures.map(one => known.get(one.id) ?? entry(one)));
    mark(list.children, line => line.dataset.id === kept.current?.id);
  });
  return element;
}
