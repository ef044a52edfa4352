// @ts-check
// One model on the page: what it wrote, what it could have written instead, and its map.

import { AttentionMap } from "../../viz/web/attention_map.mjs";
import { element } from "../../viz/web/dom.mjs";
import { figure } from "../../viz/web/sentences.mjs";

/** What a translation consists of: pieces by their ids, or words, if a server translates. @typedef {number | string} Part */

/** @typedef {Omit<import("./engine.mjs").Translation, "ids"> & { ids: Part[] }} Translation */
/** @typedef {Omit<import("./alternatives.mjs").Alternative, "ids"> & { ids: Part[] }} Alternative */

/** `pieces` are not known if a server translates. */
/** @typedef {{ words: string[], unknown: number[], pieces?: string[], cut: boolean }} Source */

/** @typedef {{ name: string, figures: [string, string][] }} About what is known of a model */

/**
 * What the panel asks of the page.
 * @typedef {{
 *   translate: (begin: Part[]) => void,
 *   alternatives: (begin: Part[], spaced: boolean) => void,
 *   shape: () => string,
 * }} Requests
 */

export class Panel {
  /**
   * @param {About} about
   * @param {{ source?: string, target?: string }} languages
   * @param {Requests} requests
   */
  constructor(about, languages, requests) {
    this.about = about;
    this.languages = languages;
    this.requests = requests;
    /** @type {Source} */
    this.source = { words: [], unknown: [], cut: false };
    /** @type {Translation | undefined} */
    this.shown = undefined;
    /** The beginning that the reader has chosen. @type {Part[]} */
    this.begin = [];
    /** The word whose alternatives are asked for or shown. @type {number | undefined} */
    this.open = undefined;
    this.text = element("p", { class: "translation", lang: languages.target, dir: "auto" });
    this.choices = element("div", { class: "alternatives", role: "group", hidden: "" });
    this.candidates = element("fieldset", { class: "candidates", hidden: "" });
    this.time = element("span", { class: "time" });
    this.hint = element("span", { class: "hint", hidden: "" }, "Choose a word to see alternatives.");
    this.release = element("button", { type: "button", class: "release", hidden: "" }, "Undo the chosen words");
    this.release.addEventListener("click", () => requests.translate([]));
    const map = element("div"), readout = element("p", { class: "readout" });
    this.map = new AttentionMap(map, readout, languages);
    const heading = element("h2", { dir: "auto" }, about.name);
    this.root = element("section", { class: "panel", "aria-label": about.name },
      heading, this.text, this.choices,
      element("div", { class: "foot" }, this.time, this.hint, this.release),
      element("div", { class: "map" }, map), readout, this.candidates, drawFigures(about.figures));
    this.root.addEventListener("keydown", (event) => this.press(event));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key !== "Escape" || this.open === undefined) return;
    const word = this.text.querySelectorAll("button")[this.open];
    this.close();
    word?.focus();
  }

  /**
   * What is written so far.
   * @param {Source} source
   * @param {Translation} translation
   */
  showPartial(source, translation) {
    this.source = source;
    this.root.classList.add("writing");
    this.candidates.hidden = true;
    this.show(translation);
  }

  /**
   * A finished search.
   * @param {Source} source
   * @param {Translation[]} candidates best first
   * @param {number} milliseconds
   */
  showResult(source, candidates, milliseconds) {
    this.source = source;
    this.root.classList.remove("writing");
    this.hint.hidden = candidates[0].words.length === 0;
    this.release.hidden = this.begin.length === 0;
    this.time.textContent = source.words.length ? timeText(source, candidates[0], milliseconds) : "";
    this.drawCandidates(candidates);
    this.show(candidates[0]);
  }

  /** @param {Translation[]} candidates */
  drawCandidates(candidates) {
    this.candidates.hidden = candidates.length < 2;
    const name = `candidate-${this.about.name}`;
    const rows = candidates.map((candidate, rank) => {
      const radio = element("input", { type: "radio", name });
      radio.checked = rank === 0;
      radio.addEventListener("change", () => this.show(candidate));
      const attributes = { class: "text", dir: "auto", lang: this.languages.target };
      const text = element("span", attributes, candidate.text || "(no word)");
      return element("label", {}, radio, text, element("span", { class: "score" }, figure(candidate.score, 2)));
    });
    this.candidates.replaceChildren(element("legend", {}, "Candidates, best first, with their scores"), ...rows);
  }

  /** @param {Translation} translation */
  show(translation) {
    this.close();
    this.shown = translation;
    const between = translation.spaced ? " " : "";
    const words = translation.words.map((word, position) => this.drawWord(word, position));
    this.text.replaceChildren(...words.flatMap((word, position) => (position ? [between, word] : [word])));
    if (!words.length && this.source.words.join("").trim()) this.text.replaceChildren("(no word)");
    this.redraw();
  }

  /** Draw the map again, when its shape has changed. */
  redraw() {
    if (!this.shown) return;
    const { words, rows, ends, unknown } = this.shown;
    const sentence = {
      source: this.source.words, target: words, rows, ends, marks: new Map(), notes: {},
      unknown: { source: new Set(this.source.unknown), target: new Set(unknown) },
    };
    this.map.draw(sentence, "Translation", this.requests.shape());
  }

  /** @param {string} word @param {number} position */
  drawWord(word, position) {
    const { index, unknown } = /** @type {Translation} */ (this.shown);
    const forced = index.indexOf(position) < this.begin.length && this.begin.length > 0;
    const kind = [forced ? "forced" : "", unknown.includes(position) ? "unknown" : ""].filter(Boolean).join(" ");
    const button = element("button", { type: "button", class: kind || undefined, "aria-expanded": "false" }, word);
    button.addEventListener("click", () => this.ask(position));
    return button;
  }

  /** Ask for the alternatives of a word, or close them. @param {number} position */
  ask(position) {
    const again = this.open === position;
    this.close();
    if (again || !this.shown || this.root.matches(".writing")) return;
    this.open = position;
    this.text.querySelectorAll("button")[position].setAttribute("aria-expanded", "true");
    this.requests.alternatives(this.before(position), this.shown.spaced);
  }

  /** @param {number} position @returns {Part[]} what stands before a word */
  before(position) {
    const { ids, index } = /** @type {Translation} */ (this.shown);
    return ids.slice(0, index.indexOf(position));
  }

  /** @param {Alternative[]} alternatives */
  showAlternatives(alternatives) {
    const { open, shown } = this;
    if (open === undefined || !shown) return;
    const begin = this.before(open), own = shown.words[open];
    const rows = alternatives.map(({ ids, word, probability }) => {
      const share = element("small", {}, shareText(probability));
      if (!ids.length) return element("li", {}, element("span", {}, "(end of the translation)", share));
      const text = element("bdi", { lang: this.languages.target }, word || "(space)");
      const button = element("button", { type: "button", "aria-pressed": `${word === own}` }, text, share);
      button.addEventListener("click", () => this.requests.translate([...begin, ...ids]));
      return element("li", {}, button);
    });
    const heading = element("h3", {}, "Instead of ", element("bdi", {}, own), ", the model could have written:");
    this.choices.setAttribute("aria-label", `Alternatives to ${own}`);
    this.choices.replaceChildren(heading, element("ul", {}, ...rows));
    this.choices.hidden = false;
    this.choices.querySelector("button")?.focus();
  }

  /** Close the alternatives. */
  close() {
    this.open = undefined;
    this.choices.hidden = true;
    for (const button of this.text.querySelectorAll("button")) button.setAttribute("aria-expanded", "false");
  }
}

/** @param {[string, string][]} figures */
const drawFigures = (figures) => element("dl", { class: "figures" }, ...figures.map(([name, value]) =>
  element("div", {}, element("dt", {}, name), element("dd", {}, value))));

/** @param {number} probability */
function shareText(probability) {
  if (probability < 1e-6) return "< 0.0001 %";
  const digits = Math.max(1, Math.ceil(-Math.log10(probability)) - 1);
  return `${(probability * 100).toFixed(digits)} %`;
}

/** @param {Source} source @param {Translation} best @param {number} milliseconds */
function timeText(source, best, milliseconds) {
  const cut = source.cut ? " The end of the text was ignored, because it is too long." : "";
  const [read, written] = source.pieces ? [` (${source.pieces.length} subwords)`, ` (${best.ids.length})`] : ["", ""];
  return `${source.words.length} words${read} to ${best.words.length}${written} in ${Math.round(milliseconds)} ms.${cut}`;
}
