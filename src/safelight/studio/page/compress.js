// Compress: a part of a picture beside itself at a quality, and beside the usual formats at as many bytes.

import { getJson, post, query } from "./api.js";
import { guarded, make, slider } from "./dom.js";
import { jobList } from "./jobs.js";
import * as pictures from "./pictures.js";

const PART_PX = 512, NAMES = { original: "Original", latent: "Safelight (.latent)", jpeg: "JPEG", webp: "WebP", avif: "AVIF" };
const kilobytes = bytes => bytes < 10000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`;

export function compress() {
  const asked = { quality: 50, left: 0, top: 0 }, jobs = jobList();
  let right = "latent", left = "original", timer = null, ticket = 0;
  const before = make("img", { class: "before", alt: "to the left of the line", draggable: false }), after = make("img", { class: "after", alt: "to the right of the line", draggable: false });
  const frame = make("div", { class: "frame" }, before, after, make("span", { class: "tag left" }), make("span", { class: "tag right" }));
  const line = make("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": "Position of the line" });
  const move = share => { frame.style.setProperty("--at", `${100 * share}%`); line.value = String(100 * share); };
  line.addEventListener("input", () => move(line.value / 100));
  const drag = event => { if (event.buttons & 1) { const box = frame.getBoundingClientRect(); move(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))); } };
  frame.addEventListener("pointerdown", event => { frame.setPointerCapture(event.pointerId); drag(event); });
  frame.addEventListener("pointermove", drag);
  const busy = make("p", { class: "quiet", role: "status" }), rows = make("table", { class: "lines" }), empty = make("div", { class: "card empty" }, make("h2", {}, "Nothing is open"), make("p", {}, "Drop a picture anywhere on this page, or choose one from the list. You see a part of it at the quality that you choose."));
  const stage = make("div", { hidden: true }, frame, line, busy, make("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "Sizes and errors" }, rows));
  const address = name => `/api/pictures/${pictures.current().id}/compressed/${name}?${query(asked)}`;
  const show = () => { before.src = address(left); after.src = address(right); frame.querySelector(".left").textContent = NAMES[left]; frame.querySelector(".right").textContent = NAMES[right]; };
  const update = guarded(async () => {
    const picture = pictures.current(), mine = ++ticket;
    empty.hidden = Boolean(picture); stage.hidden = !picture;
    if (!picture) return;
    busy.textContent = "computing …";
    try {
      const found = await getJson(`/api/pictures/${picture.id}/compressed?${query(asked)}`);
      if (mine !== ticket) return;
      rows.replaceChildren(make("tr", {}, make("td"), ["Size of this part", "Bits per pixel", "PSNR"].map(words => make("th", { scope: "col", class: "number" }, words)), make("th", { scope: "col" }, "Show")),
        ...found.map(one => make("tr", {}, make("th", { scope: "row" }, NAMES[one.name]), make("td", { class: "number" }, kilobytes(one.bytes)), make("td", { class: "number" }, one.bits_per_pixel.toFixed(3)), make("td", { class: "number" }, one.psnr_db === null ? "" : `${one.psnr_db.toFixed(2)} dB`),
          make("td", {}, make("div", { class: "row" }, make("button", { type: "button", class: "small", "aria-label": `${NAMES[one.name]} to the left`, onclick: () => { left = one.name; show(); } }, "left"), make("button", { type: "button", class: "small", "aria-label": `${NAMES[one.name]} to the right`, onclick: () => { right = one.name; show(); } }, "right"))))));
      show();
    } finally { if (mine === ticket) busy.textContent = `A part of ${PART_PX} × ${PART_PX} pixels. JPEG, WebP and AVIF have at most as many bytes.`; }
  });
  const later = () => { clearTimeout(timer); timer = setTimeout(update, 250); };
  const places = make("div", {});
  const place = () => {
    const picture = pictures.current();
    if (!picture) return;
    frame.style.aspectRatio = `${Math.min(PART_PX, picture.width)} / ${Math.min(PART_PX, picture.height)}`;  // known before it is loaded
    Object.assign(asked, { left: Math.max(0, Math.round((picture.width - PART_PX) / 2)), top: Math.max(0, Math.round((picture.height - PART_PX) / 2)) });
    places.replaceChildren(slider("From the left", { min: 0, max: Math.max(0, picture.width - PART_PX), step: 1, value: asked.left, format: v => `${v} px`, oninput: v => { asked.left = v; later(); } }).field,
      slider("From the top", { min: 0, max: Math.max(0, picture.height - PART_PX), step: 1, value: asked.top, format: v => `${v} px`, oninput: v => { asked.top = v; later(); } }).field);
  };
  let which = null;
  const whichField = make("div", {});
  guarded(async () => { which = pictures.whichPictures((await getJson("/api/about")).folder !== null); whichField.append(which.field); })();
  const begin = make("button", { type: "button", class: "main", onclick: guarded(async () => {
    await post("/api/jobs/compress", { pictures: which.listed(), settings: { quality: asked.quality } });
    await jobs.refresh();
  }) }, "Compress");
  const form = make("section", { class: "card", "aria-label": "How it is compressed" }, make("h2", {}, "Settings"), slider("Quality", { min: 1, max: 100, step: 1, value: 50, help: "Less: smaller files. Every machine decodes the same pixels.", oninput: v => { asked.quality = v; later(); } }).field, make("h3", {}, "Which part"), places);
  const exporting = make("section", { class: "card", "aria-label": "Export" }, make("h2", {}, "Compress whole pictures"), whichField, begin, make("p", { class: "quiet" }, "The command line decodes them: safelight decompress."));
  pictures.onChange(what => { if (what === "chosen") { place(); if (stage.isConnected || empty.isConnected) update(); } });
  return { element: make("div", { class: "desk" }, make("div", { class: "side" }, pictures.pictureList()), make("div", {}, empty, stage), make("div", { class: "side" }, form, exporting, jobs.element)),
    onShow: () => { pictures.refresh(); jobs.refresh(); place(); update(); } };
}
