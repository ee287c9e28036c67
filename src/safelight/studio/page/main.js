// The frame of the page: which place is shown.

import { getJson } from "./api.js";
import { compress } from "./compress.js";
import { data } from "./data.js";
import { guarded, make, mark } from "./dom.js";
import { models } from "./models.js";
import { restore } from "./restore.js";
import { runs } from "./runs.js";

const PLACES = [["restore", "Restore", restore], ["compress", "Compress", compress], ["models", "Models", models], ["data", "Data sets", data], ["runs", "Training", runs]];
const shown = new Map();

function go() {
  const asked = location.hash.slice(1), [id, title, build] = PLACES.find(([name]) => name === asked) ?? PLACES[0];
  const place = document.querySelector("#place");
  if (!shown.has(id)) shown.set(id, build());
  const { element, onShow } = shown.get(id);
  place.replaceChildren(element);
  document.title = `${title} · Safelight studio`;
  mark(document.querySelectorAll("#places a"), link => link.hash === `#${id}`, "page");
  onShow?.();
}

document.querySelector("#places").append(...PLACES.map(([id, title]) => make("a", { href: `#${id}` }, title)));
addEventListener("hashchange", go);
for (const name of ["dragover", "drop"]) addEventListener(name, event => event.preventDefault());  // a miss must not leave the page
go();
guarded(async () => {
  const about = await getJson("/api/about");
  document.querySelector("#about").textContent = `${about.version} · ${about.machine} · nothing leaves this machine`;
})();
