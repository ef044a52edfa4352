// @ts-check
// The card of one sentence: its texts, the choice between them, and the map of the chosen one.

import { AttentionMap } from "./attention_map.mjs";
import { byId, element } from "./dom.mjs";
import { figure, hypothesesOf, referenceOf, sourceOf, written } from "./sentences.mjs";
import { pair, readWeights } from "./weights.mjs";

/** @typedef {import("./sentences.mjs").Entry} Entry */
/** @typedef {import("./sentences.mjs").Reading} Reading */

export class Card {
  constructor() {
    this.root = byId("sentence");
    const { sourceLang, targetLang } = this.root.dataset;
    this.languages = { source: sourceLang || undefined, target: targetLang || undefined };
    this.map = new AttentionMap(byId("map"), byId("readout"), this.languages);
    /** @type {(() => void) | undefined} */
    this.redraw = undefined;
    for (const shape of shapes()) shape.addEventListener("change", () => this.redraw?.());
  }

  /** @param {Entry} entry */
  show(entry) {
    const [best, ...others] = hypothesesOf(entry);
    const reference = referenceOf(entry);
    const source = element("p", {}, ...this.drawText(sourceOf(entry), this.languages.source));
    const first = [reference, best].flatMap((reading) => (reading ? [this.drawChoice(entry, reading)] : []));
    const further = others.map((reading) => this.drawChoice(entry, reading));
    replaceBelowLegend(byId("texts"), source, ...first);
    replaceBelowLegend(byId("others"), ...further);
    byId("others").hidden = further.length === 0;
    first[first.length - 1].querySelector("input")?.click();
  }

  /** @param {Reading} reading @param {string | undefined} lang */
  drawText(reading, lang) {
    return [
      element("span", { class: "name" }, reading.name),
      element("span", { class: "text", dir: "auto", lang }, written(reading)),
    ];
  }

  /**
   * A text with a button to show its map, if it has one.
   * @param {Entry} entry
   * @param {Reading} reading
   */
  drawChoice(entry, reading) {
    const text = this.drawText(reading, this.languages.target);
    if (reading.weights === null) return element("p", {}, ...text);
    const radio = element("input", { type: "radio", name: "reading" });
    radio.addEventListener("change", () => this.drawMap(entry, reading));
    const score = element("span", { class: "score" }, reading.score == null ? "" : figure(reading.score, 2));
    return element("label", {}, radio, ...text, score);
  }

  /** @param {Entry} entry @param {Reading} reading */
  drawMap(entry, reading) {
    const marks = marksOf(entry, reading);
    const { rows, ends } = readWeights(reading.weights ?? "", entry.source.length, reading.words.length);
    const unknown = { source: new Set(entry.sourceUnknown), target: new Set(reading.unknown ?? []) };
    const notes = reading.notes ?? {};
    const sentence = { source: entry.source, target: reading.words, rows, ends, marks, unknown, notes };
    this.redraw = () => this.map.draw(sentence, reading.name, shapes().find((shape) => shape.checked)?.value ?? "links");
    const kinds = new Set([...marks.values(), ...(Object.keys(notes).length ? ["noted"] : [])]);
    for (const key of this.root.querySelectorAll("[data-mark]")) {
      if (key instanceof HTMLElement) key.hidden = !kinds.has(key.dataset.mark ?? "");
    }
    this.redraw();
  }
}

/**
 * Gold links belong to the reference, and so to a hypothesis that equals it.
 * @param {Entry} entry
 * @param {Reading} reading
 * @returns {Map<string, string>} from pairs of words to keys of MARKS
 */
function marksOf(entry, reading) {
  if (reading.aligned?.length) return new Map(reading.aligned.map(([source, target]) => [pair(source, target), "aligned"]));
  if (reading.words.join(" ") !== entry.reference?.join(" ")) return new Map();
  return new Map([
    ...entry.possible.map(([source, target]) => /** @type {[string, string]} */ ([pair(source, target), "possible"])),
    ...entry.sure.map(([source, target]) => /** @type {[string, string]} */ ([pair(source, target), "sure"])),
  ]);
}

const shapes = () => [...document.querySelectorAll("[name=shape]")].filter((node) => node instanceof HTMLInputElement);

/** @param {HTMLElement} fieldset @param {...Node} nodes */
function replaceBelowLegend(fieldset, ...nodes) {
  fieldset.replaceChildren(...fieldset.querySelectorAll("legend"), ...nodes);
}
