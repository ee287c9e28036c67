// The list of pictures, and the place to drop more.

import { getJson, remove, upload } from "./api.js";
import { choice, guarded, make, say } from "./dom.js";

const kept = { pictures: [], current: null, listeners: new Set() };

export const current = () => kept.current;
export const all = () => kept.pictures;
export function onChange(listener) { kept.listeners.add(listener); }
const tell = what => { for (const listener of kept.listeners) listener(what); };

export const refresh = guarded(async () => {
  kept.pictures = await getJson("/api/pictures");
  if (kept.current && !kept.pictures.some(one => one.id === kept.current.id)) kept.current = null;
  tell("list");
});

export const choose = guarded(async id => {
  tell("opening");
  try {
    kept.current = await getJson(`/api/pictures/${id}`);
  } finally {
    tell("chosen");
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
  let first = null, count = 0;
  for (const [file, name] of files) {
    onCount(++count, files.length, name);
    try {
      const added = await upload(file, name);
      first ??= added.id;
    } catch (error) { failures.push(`${name}: ${error.message}`); }
  }
  await refresh();
  for (const failure of failures.slice(0, 3)) say(failure);
  if (failures.length > 3) say(`${failures.length - 3} more files were not taken.`);
  if (first) await choose(first);
  return failures;
}

// Which pictures a batch is of: a field, and a function that lists them.
export function whichPictures(hasFolder) {
  let which = hasFolder ? "one" : "dropped";
  const options = [["one", "The open picture"], ["dropped", "All that were dropped"], ...(hasFolder ? [["folder", "All of the folder"]] : [])];
  const field = choice("Which", options, which, value => { which = value; });
  const listed = () => {
    const found = kept.pictures.filter(one => which === "one" ? one.id === kept.current?.id : one.is_dropped === (which === "dropped"));
    if (!found.length) throw new Error("There is no such picture. Drop one, or choose others.");
    return found.map(one => one.id);
  };
  return { field, listed };
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
  const element = make("section", { class: "pictures", "aria-label": "Pictures" }, drop, count, list);
  for (const target of [document.body]) {
    target.addEventListener("dragover", () => drop.classList.add("over"));
    target.addEventListener("dragleave", () => drop.classList.remove("over"));
    target.addEventListener("drop", guarded(async event => { drop.classList.remove("over"); if (element.isConnected) await take(await collected(event.dataTransfer)); }));
  }
  onChange(() => {
    count.textContent = kept.pictures.length ? `${kept.pictures.length} picture${kept.pictures.length > 1 ? "s" : ""}` : "";
    list.replaceChildren(...kept.pictures.map(one => make("li", { "aria-current": one.id === kept.current?.id ? "true" : null },
      make("button", { type: "button", title: one.name, onclick: () => choose(one.id) }, make("img", { src: `/api/pictures/${one.id}/thumbnail`, alt: "", loading: "lazy" }), make("span", {}, one.name)),
      one.is_dropped && make("button", { type: "button", class: "away small", "aria-label": `Remove ${one.name} from the studio`, onclick: guarded(async () => { if (kept.current?.id === one.id) { kept.current = null; tell("chosen"); } await remove(`/api/pictures/${one.id}`); await refresh(); }) }, "×"))));
  });
  return element;
}
