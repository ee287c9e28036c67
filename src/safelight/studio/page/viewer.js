// A picture in tiles, to be moved and zoomed. One pane has a line between before and after; several panes move together.

import { getBlob } from "./api.js";
import { make } from "./dom.js";

const LARGEST_ZOOM = 8, MOST_BITMAPS = 260, MOST_RESTORED = 12, AT_ONCE = 2;

class Bitmaps {
  // Pictures by address: what is nearest to the focus is fetched first, and what nobody wants any more is not.
  constructor(onChange) { this.known = new Map(); this.wanted = []; this.running = new Map(); this.failed = new Map(); this.onChange = onChange; }

  get(url) {
    const bitmap = this.known.get(url);
    if (bitmap) { this.known.delete(url); this.known.set(url, bitmap); }
    return bitmap;
  }

  want(list) {
    this.wanted = list.filter(one => !this.known.has(one.url) && !this.failed.has(one.url));
    const urls = new Set(this.wanted.map(one => one.url));
    for (const [url, controller] of this.running) if (!urls.has(url)) controller.abort();
    this.next();
  }

  next() {
    for (const kind of ["base", "restored"]) {
      const waiting = this.wanted.filter(one => one.kind === kind && !this.running.has(one.url)).sort((a, b) => a.distance - b.distance);
      const limit = kind === "base" ? 4 : AT_ONCE;
      const active = [...this.running.values()].filter(controller => controller.kind === kind).length;
      for (const one of waiting.slice(0, Math.max(0, limit - active))) this.load(one);
    }
  }

  async load(one) {
    const controller = Object.assign(new AbortController(), { kind: one.kind });
    this.running.set(one.url, controller);
    try {
      const bitmap = await createImageBitmap(await getBlob(one.url, controller.signal));
      this.known.set(one.url, bitmap);
      while (this.known.size > MOST_BITMAPS) { const [oldest] = this.known.keys(); this.known.get(oldest).close(); this.known.delete(oldest); }
    } catch (error) {
      if (error.mayPass) {  // it is asked for again soon, without a word
        this.failed.set(one.url, "");
        setTimeout(() => { this.failed.delete(one.url); this.onChange(one.url); }, 1500);
      } else if (error.name !== "AbortError") this.failed.set(one.url, error.message);
    }
    this.running.delete(one.url);
    this.wanted = this.wanted.filter(other => other.url !== one.url);
    this.onChange(one.url);
    this.next();
  }

  get isBusy() { return this.wanted.some(one => one.kind === "restored"); }
}

export class Viewer {
  // panes: [{label, source: (column, row) => url or null}]
  constructor({ onMove = () => {}, onError = () => {} } = {}) {
    this.element = make("div", { class: "viewer", tabIndex: 0, role: "group",
      "aria-label": "Picture. Arrow keys move it, plus and minus zoom, 0 fits it, 1 is full size, F shows before and after in turn." });
    this.panes = []; this.extras = []; this.picture = null; this.at = 0.5; this.flicker = null; this.onMove = onMove; this.onError = onError;
    this.camera = { x: 0, y: 0, zoom: 1 }; this.focus = null; this.pinch = new Map();
    this.bitmaps = new Bitmaps(url => { const why = this.bitmaps.failed.get(url); if (why) this.onError(why); this.draw(); });
    this.handle = make("div", { class: "handle", "aria-hidden": "true" });
    this.busy = make("div", { class: "busy", hidden: true }, "computing");
    this.element.addEventListener("keydown", event => this.onKey(event));
    this.element.addEventListener("wheel", event => { event.preventDefault(); this.zoomBy(Math.exp(-event.deltaY * 0.0015), this.placeOf(event)); }, { passive: false });
    this.handle.addEventListener("pointerdown", event => { event.stopPropagation(); this.handle.setPointerCapture(event.pointerId); });
    this.handle.addEventListener("pointermove", event => { if (this.handle.hasPointerCapture(event.pointerId)) this.setLine(this.placeOf(event).x / this.element.clientWidth); });
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  show(picture, keepCamera = false) {
    this.picture = picture; this.bitmaps.failed.clear();
    if (!picture) this.bitmaps.want([]);
    else if (!keepCamera) this.fit();
    this.draw();
  }

  setPanes(panes) {
    this.panes = panes; this.bitmaps.failed.clear(); this.element.dataset.panes = String(panes.length);
    this.element.replaceChildren(...panes.map(pane => {
      pane.canvas = make("canvas", {});
      this.listen(pane.canvas);
      const close = pane.onClose && make("button", { class: "close small", type: "button", onclick: pane.onClose, "aria-label": `Close ${pane.label}` }, "×");
      const tags = panes.length > 1 ? [make("span", { class: "tag left" }, pane.label)] : [make("span", { class: "tag left" }, "before"), make("span", { class: "tag right" }, pane.label)];
      return make("div", { class: "pane" }, pane.canvas, tags, close);
    }), this.busy, panes.length === 1 ? this.handle : "");
    this.draw();
  }

  listen(canvas) {
    canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); this.pinch.set(event.pointerId, this.placeOf(event)); this.element.focus({ preventScroll: true }); });
    canvas.addEventListener("pointermove", event => {
      const now = this.placeOf(event), before = this.pinch.get(event.pointerId);
      this.focus = this.toPicture(now);
      if (!before) { this.plan(); return; }
      if (this.pinch.size === 2) {
        const other = [...this.pinch].find(([id]) => id !== event.pointerId)[1];
        this.zoomBy(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y)), other);
      } else { this.camera.x -= (now.x - before.x) / this.camera.zoom; this.camera.y -= (now.y - before.y) / this.camera.zoom; this.moved(); }
      this.pinch.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, event => this.pinch.delete(event.pointerId));
    canvas.addEventListener("dblclick", event => this.zoomTo(this.camera.zoom < 1 ? 1 : this.fitting(), this.placeOf(event)));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;  // the browser's own
    const step = 80 / this.camera.zoom;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) { this.camera.x += moves[event.key][0]; this.camera.y += moves[event.key][1]; this.moved(); }
    else if (event.key === "+" || event.key === "=") this.zoomBy(1.25);
    else if (event.key === "-") this.zoomBy(0.8);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.zoomTo(1);
    else if (event.key.toLowerCase() === "f") this.toggleFlicker();
    else return;
    event.preventDefault();
  }

  toggleFlicker() {
    if (this.flicker) { clearInterval(this.flicker); this.flicker = null; this.flickers = false; }
    else { this.flickers = true; this.flicker = setInterval(() => { this.flickers = !this.flickers; this.draw(); }, 600); }
    this.element.dispatchEvent(new CustomEvent("flicker", { detail: Boolean(this.flicker) }));
    this.draw();
  }

  setLine(share) { this.at = Math.min(1, Math.max(0, share)); this.element.dispatchEvent(new CustomEvent("line", { detail: this.at })); this.draw(); }
  get paneWidth() { return this.panes.length ? this.panes[0].canvas.clientWidth : this.element.clientWidth; }
  get paneHeight() { return this.panes.length ? this.panes[0].canvas.clientHeight : this.element.clientHeight; }
  placeOf(event) {  // within its pane
    const box = (event.target.closest?.(".pane") ?? this.element).getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
  toPicture(place) { return { x: this.camera.x + (place.x - this.paneWidth / 2) / this.camera.zoom, y: this.camera.y + (place.y - this.paneHeight / 2) / this.camera.zoom }; }
  fitting() { return this.picture ? Math.min(this.paneWidth / this.picture.width, this.paneHeight / this.picture.height, LARGEST_ZOOM) : 1; }
  fit() { if (!this.picture) return; this.camera = { x: this.picture.width / 2, y: this.picture.height / 2, zoom: this.fitting() || 1 }; this.focus = null; this.moved(); }
  zoomBy(factor, place) { this.zoomTo(this.camera.zoom * factor, place); }
  zoomTo(zoom, place) {
    if (!this.picture) return;
    const held = place ?? { x: this.paneWidth / 2, y: this.paneHeight / 2 }, before = this.toPicture(held);
    this.camera.zoom = Math.min(LARGEST_ZOOM, Math.max(Math.min(this.fitting(), 1) / 2, zoom));
    const after = this.toPicture(held);
    this.camera.x += before.x - after.x; this.camera.y += before.y - after.y;
    this.moved();
  }
  moved() {
    if (!this.picture) return;
    this.camera.x = Math.min(this.picture.width, Math.max(0, this.camera.x)); this.camera.y = Math.min(this.picture.height, Math.max(0, this.camera.y));
    this.onMove(this.camera); this.draw();
  }

  get where() { return this.focus ?? { x: this.camera.x, y: this.camera.y }; }

  // Tiles of a level that can be seen, with their distance from the focus in px of the picture.
  seen(level) {
    const { width, height, tile_px: size } = this.picture, scale = 2 ** level, side = size * scale;
    const half = { x: this.paneWidth / 2 / this.camera.zoom, y: this.paneHeight / 2 / this.camera.zoom }, list = [];
    const last = { x: Math.ceil(width / side) - 1, y: Math.ceil(height / side) - 1 };
    const from = (middle, reach) => Math.max(0, Math.floor((middle - reach) / side));
    for (let row = from(this.camera.y, half.y); row <= Math.min(last.y, Math.floor((this.camera.y + half.y) / side)); row++)
      for (let column = from(this.camera.x, half.x); column <= Math.min(last.x, Math.floor((this.camera.x + half.x) / side)); column++) {
        const middle = { x: (column + 0.5) * side, y: (row + 0.5) * side };
        list.push({ column, row, level, distance: Math.hypot(middle.x - this.where.x, middle.y - this.where.y) });
      }
    return list;
  }

  get level() { return Math.min(this.picture.levels - 1, Math.max(0, Math.floor(Math.log2(1 / (this.camera.zoom * devicePixelRatio))))); }
  base(tile) { return `/api/pictures/${this.picture.id}/tiles/${tile.level}/${tile.column}/${tile.row}`; }

  plan() {
    if (!this.picture || !this.panes.length) return;
    const wanted = [];
    const top = this.picture.levels - 1, isLater = tile => tile.level === top && top !== this.level;  // the overview is for later moves
    for (const level of new Set([top, this.level])) for (const tile of this.seen(level)) wanted.push({ ...tile, kind: "base", url: this.base(tile), distance: tile.distance + (isLater(tile) ? 1e6 : 0) });
    const near = this.seen(0).sort((a, b) => a.distance - b.distance).slice(0, Math.ceil(MOST_RESTORED / this.panes.length));
    for (const pane of this.panes) for (const tile of near) {
      const url = pane.source(tile.column, tile.row);
      if (url) wanted.push({ ...tile, kind: "restored", url });
    }
    if (!wanted.some(one => one.kind === "restored" && !this.bitmaps.get(one.url) && !this.bitmaps.failed.has(one.url)) && near.length)
      for (const more of this.extras) wanted.push({ ...near[0], kind: "restored", distance: near[0].distance + 1e6, url: more(near[0].column, near[0].row) });
    this.bitmaps.want(wanted);
    this.busy.hidden = !this.bitmaps.isBusy;
  }

  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = null; this.plan(); for (const pane of this.panes) this.drawPane(pane); });
  }

  drawPane(pane) {
    const ratio = devicePixelRatio, canvas = pane.canvas, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(this.element).backgroundColor;
    context.fillRect(0, 0, width, height);
    if (!this.picture) return;
    const zoom = this.camera.zoom * ratio;
    context.imageSmoothingEnabled = zoom < 2;
    context.setTransform(zoom, 0, 0, zoom, width / 2 - this.camera.x * zoom, height / 2 - this.camera.y * zoom);
    const put = (bitmap, tile) => {
      const side = this.picture.tile_px * 2 ** tile.level, scale = 2 ** tile.level;
      context.drawImage(bitmap, tile.column * side, tile.row * side, Math.min(bitmap.width * scale, this.picture.width - tile.column * side), Math.min(bitmap.height * scale, this.picture.height - tile.row * side));
    };
    for (const level of [this.picture.levels - 1, this.level]) for (const tile of this.seen(level)) {
      const bitmap = this.bitmaps.get(this.base(tile));
      if (bitmap) put(bitmap, tile);
    }
    const single = this.panes.length === 1;
    if (this.flicker && !this.flickers) { this.handle.hidden = true; return; }
    this.handle.hidden = Boolean(this.flicker);
    context.save();
    if (single && !this.flicker) {
      const left = this.toPicture({ x: this.at * this.paneWidth, y: 0 }).x;
      context.beginPath(); context.rect(left, 0, Math.max(0, this.picture.width - left), this.picture.height); context.clip();
      this.handle.style.left = `${this.at * 100}%`;
    }
    for (const tile of this.seen(0)) {
      const of = source => { const url = source?.(tile.column, tile.row); return url && this.bitmaps.get(url); };
      const exact = of(pane.source), standIn = exact ? null : of(pane.standIn?.source);
      if (standIn) {  // over what is as it was: nearly right, until the tile itself is there
        context.globalAlpha = pane.standIn.share;
        put(standIn, tile);
        context.globalAlpha = 1;
      } else { const bitmap = exact || of(pane.former); if (bitmap) put(bitmap, tile); }
    }
    context.restore();
  }

  // The layer around the focus, for a thumbnail.
  thumbnail(canvas, source, size = 192) {
    const { x, y } = this.where, side = this.picture.tile_px, column = Math.floor(Math.min(x, this.picture.width - 1) / side), row = Math.floor(Math.min(y, this.picture.height - 1) / side);
    const bitmap = this.bitmaps.get(source(column, row));
    if (!bitmap) return false;
    canvas.width = size; canvas.height = size * 3 / 4;
    const wide = Math.min(size, bitmap.width), high = Math.min(size * 3 / 4, bitmap.height);
    const left = Math.min(Math.max(0, x - column * side - wide / 2), bitmap.width - wide), top = Math.min(Math.max(0, y - row * side - high / 2), bitmap.height - high);
    canvas.getContext("2d").drawImage(bitmap, left, top, wide, high, 0, 0, canvas.width, canvas.height);
    return true;
  }
}
