// Small helpers for making elements. Text is always set as text, never as HTML.

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function say(words, seconds = 9) {
  const line = make("p", {}, words), close = make("button", { type: "button", class: "small", "aria-label": "Close this message", onclick: () => line.remove() }, "×");
  line.append(close);
  document.querySelector("#messages").append(line);
  if (seconds) setTimeout(() => line.remove(), 1000 * seconds);
}

// Marks the one chosen among elements, for the eye and for screen readers.
export function mark(elements, isChosen, word = "true") {
  for (const one of elements) if (isChosen(one)) one.setAttribute("aria-current", word); else one.removeAttribute("aria-current");
}

export const guarded = work => async (...given) => {
  try {
    return await work(...given);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
    return undefined;
  }
};

export function slider(label, { min, max, step, value, help, format = String, oninput }) {
  const id = `f-${label.toLowerCase().replace(/\W+/g, "-")}-${Math.random().toString(36).slice(2, 7)}`;
  const output = make("output", { for: id }, format(value));
  const input = make("input", { type: "range", id, min: String(min), max: String(max), step: String(step), value: String(value) });
  input.addEventListener("input", () => { output.textContent = format(Number(input.value)); oninput(Number(input.value)); });
  const field = make("div", { class: "field" }, make("label", { for: id }, label), output, input, help && make("small", {}, help));
  return { field, input, set(number) { input.value = String(number); output.textContent = format(number); } };
}

export function choice(label, options, value, onchange, help) {
  const id = `f-${Math.random().toString(36).slice(2, 9)}`;
  const select = make("select", { id }, options.map(([key, words]) => make("option", { value: key, selected: key === value }, words)));
  select.addEventListener("change", () => onchange(select.value));
  return make("div", { class: "field" }, make("label", { for: id }, label), select, help && make("small", {}, help));
}

export function number(label, { min, max, step, value, mayBeEmpty = value === null, placeholder, onchange, help }) {
  const id = `f-${Math.random().toString(36).slice(2, 9)}`;
  const input = make("input", { type: "number", id, min: String(min), max: String(max), step: step ?? "1", value: value === null ? "" : String(value), placeholder: placeholder ?? "" });
  input.addEventListener("change", () => {
    const isEmpty = input.value === "" && !input.validity.badInput;
    if (input.validity.valid && (!isEmpty || mayBeEmpty)) { value = isEmpty ? null : Number(input.value); onchange(value); }
    else {
      say(`${label}: ${min} to ${max}${step === "any" ? "" : ", without a fraction"}`);
      input.value = value === null ? "" : String(value);  // the last one that was taken
    }
  });
  return make("div", { class: "field" }, make("label", { for: id }, label), input, help && make("small", {}, help));
}

export function check(label, value, onchange) {
  const input = make("input", { type: "checkbox", checked: value });
  input.addEventListener("change", () => onchange(input.checked));
  return make("label", { class: "check" }, input, make("span", {}, label));
}

export const seconds = value => value === null || value === undefined ? "" : value < 90 ? `${Math.max(1, Math.round(value))} s` : `${Math.round(value / 60)} min`;
