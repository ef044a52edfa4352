// @ts-check
// The page that translates: its form, and its models side by side. What runs the models is given to it.

import { byId, element, switchTheme } from "../../viz/web/dom.mjs";
import { Panel } from "./panel.mjs";

/** @typedef {{ models: import("./panel.mjs").About[], examples: string[] }} About */

/**
 * What runs the models, a worker or a server: it gets the requests of worker.mjs, and answers with messages as the
 * worker does.
 * @typedef {{ postMessage: (request: object) => void } & EventTarget} Runner
 */

/** How long the page waits for another key before it translates, in milliseconds. */
const PAUSE = 300;

/** How many translations are drawn by sampling. */
const SAMPLES = 5;

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

export class App {
  /** @param {About} about @param {Runner} runner */
  constructor(about, runner) {
    this.runner = runner;
    runner.addEventListener("message", (event) => this.receive(/** @type {MessageEvent} */ (event).data));
    runner.addEventListener("error", (event) =>
      showError(/** @type {ErrorEvent} */ (event).message || "the worker did not start"));
    const { sourceLang, targetLang } = byId("panels").dataset;
    const languages = { source: sourceLang || undefined, target: targetLang || undefined };
    nameLanguages(languages);
    this.panels = about.models.map((model, place) => new Panel(model, languages, {
      translate: (begin) => this.translate(place, begin),
      alternatives: (begin, spaced) => this.send("alternatives", place, { begin, spaced }),
      shape: () => input("form").querySelector("input[name=shape]:checked")?.getAttribute("value") ?? "links",
    }));
    byId("panels").replaceChildren(...this.panels.map((panel) => panel.root));
    this.number = 0;
    /** The number of the latest request of each lane. @type {Map<string, number>} */
    this.latest = new Map();
    /** @type {number | undefined} */
    this.timer = undefined;
    /** The models that are translating. @type {Set<number>} */
    this.busy = new Set();
    /** What is written so far and not shown yet, by model. @type {Map<number, any>} */
    this.partials = new Map();
    this.listen();
    this.offer(about.examples);
    this.readAddress(about.examples[0] ?? "");
  }

  listen() {
    byId("theme").addEventListener("click", switchTheme);
    byId("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.translateAll();
    });
    byId("text").addEventListener("input", () => this.soon());
    byId("text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.translateAll();
    });
    for (const id of ["search", "beam-size", "temperature"]) {
      byId(id).addEventListener("change", () => this.translateAll());
    }
    byId("search").addEventListener("change", () => this.showSettings());
    byId("temperature").addEventListener("input", () => this.showSettings());
    byId("stop").addEventListener("click", () => this.stop());
    for (const shape of document.querySelectorAll("input[name=shape]")) {
      shape.addEventListener("change", () => this.panels.forEach((panel) => panel.redraw()));
    }
    addEventListener("hashchange", () => this.readAddress(""));
  }

  /** @param {string[]} examples */
  offer(examples) {
    const list = input("examples");
    list.append(...examples.map((example) => element("option", { value: example }, example)));
    list.addEventListener("change", () => {
      if (!list.value) return;
      input("text").value = list.value;
      this.translateAll();
    });
  }

  showSettings() {
    const search = input("search").value;
    byId("beams").hidden = search !== "beam";
    byId("heat").hidden = search !== "sample";
    byId("heat-value").textContent = Number(input("temperature").value).toFixed(1);
  }

  settings() {
    const beamSize = Math.min(16, Math.max(1, Math.round(Number(input("beam-size").value)) || 1));
    return { search: input("search").value, beamSize, temperature: Number(input("temperature").value), count: SAMPLES };
  }

  /** Translate when the reader stops typing. */
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.translateAll(), PAUSE);
  }

  translateAll() {
    clearTimeout(this.timer);
    byId("error").hidden = true;
    byId("full").hidden = input("text").value.length < input("text").maxLength;
    this.writeAddress();
    this.panels.forEach((_, model) => this.translate(model, []));
  }

  /** @param {number} model @param {import("./panel.mjs").Part[]} begin */
  translate(model, begin) {
    this.panels[model].begin = begin;
    this.busy.add(model);
    byId("stop").hidden = false;
    const spaced = this.panels[model].shown?.spaced ?? true;
    this.send("translate", model, { begin, spaced, settings: this.settings() });
  }

  /** @param {string} kind @param {number} model @param {object} more */
  send(kind, model, more) {
    this.number += 1;
    const lane = `${kind}-${model}`;
    this.latest.set(lane, this.number);
    this.runner.postMessage({ kind, model, lane, number: this.number, line: input("text").value, ...more });
  }

  stop() {
    for (const model of this.busy) {
      this.runner.postMessage({ kind: "stop", lane: `translate-${model}` });
      this.panels[model].root.classList.remove("writing");
    }
    this.finished(...this.busy);
  }

  /** @param {...number} models */
  finished(...models) {
    for (const model of models) this.busy.delete(model);
    byId("stop").hidden = this.busy.size === 0;
  }

  /** @param {any} answer */
  receive(answer) {
    const { kind, model, lane, number } = answer;
    if (kind === "loaded" || this.latest.get(lane) !== number) return;
    const panel = this.panels[model];
    if (kind === "failed") {
      showError(answer.text);
      this.finished(model);
    } else if (kind === "alternatives") panel.showAlternatives(answer.choices);
    else if (kind === "partial") this.showSoon(answer);
    else if (kind === "done") {
      this.finished(model);
      this.partials.delete(model);
      panel.showResult(answer.source, answer.candidates, answer.milliseconds);
      if (!this.busy.size) this.announce();
    }
  }

  /**
   * Show what is written so far when the page is drawn again: a long map takes longer than the steps that fill it.
   * @param {any} answer
   */
  showSoon(answer) {
    if (!this.partials.size) requestAnimationFrame(() => this.showPartials());
    this.partials.set(answer.model, answer);
  }

  showPartials() {
    for (const [model, { source, candidates }] of this.partials) {
      if (this.busy.has(model)) this.panels[model].showPartial(source, candidates[0]);
    }
    this.partials.clear();
  }

  /** Let a screen reader say what was written, once all models have finished. */
  announce() {
    const said = this.panels.filter((panel) => panel.shown && panel.source.words.length).map(({ about, shown }) =>
      `${this.panels.length > 1 ? `${about.name}: ` : ""}${shown?.text || "no word"}`);
    byId("status").textContent = said.join(". ");
  }

  /** Let the address carry the sentence, so that it can be shared. */
  writeAddress() {
    const text = input("text").value.replace(/\p{Cs}/gu, "\ufffd"); // half of a surrogate pair cannot be encoded
    const hash = `#${encodeURIComponent(text)}`;
    byId("link").setAttribute("href", hash);
    history.replaceState(null, "", hash);
  }

  /** @param {string} otherwise the sentence to begin with if the address has none */
  readAddress(otherwise) {
    const text = decoded(location.hash.slice(1)) || otherwise;
    if (text === input("text").value) return;
    input("text").value = text.slice(0, input("text").maxLength);
    this.translateAll();
  }
}

/**
 * Write the names of the languages in place of their codes.
 * @param {{ source?: string, target?: string }} languages
 */
function nameLanguages({ source, target }) {
  if (!source || !target) return;
  const names = new Intl.DisplayNames("en", { type: "language" });
  document.title = `${names.of(source)} to ${names.of(target)}, with attention`;
  byId("title").textContent = document.title;
}

/** @param {string} hash @returns {string} empty for one that is damaged */
function decoded(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return "";
  }
}

/** @param {string} text */
function showError(text) {
  byId("error").hidden = false;
  byId("error").textContent = `The translation failed: ${text}`;
}
