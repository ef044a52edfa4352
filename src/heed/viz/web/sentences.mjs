// @ts-check
// Sentences as the page's data holds them: their texts, measures, order and search. Runs without a page too.

import { percent } from "./weights.mjs";

/**
 * `text` is the text as it was written, if it is not the words with spaces between them.
 * @typedef {{
 *   words: string[], text: string | null, score: number | null, weights: string, unknown: number[],
 *   notes: Record<string, string>, aligned: [number, number][],
 * }} Candidate
 */

/**
 * A sentence; `reference` is null if nobody has translated it. See heed.viz.entries.
 * @typedef {{
 *   source: string[], sourceText: string | null, sourceUnknown: number[],
 *   reference: string[] | null, referenceText: string | null, forced: string | null, candidates: Candidate[],
 *   sure: [number, number][], possible: [number, number][],
 *   bleu: number | null, entropy: number | null, coverage: number | null,
 * }} Entry
 */

/** @typedef {Entry & { number: number, folded?: string[] }} Numbered an entry, counted from 1 */

/**
 * A text of an entry: a candidate, the reference or the source. A text without weights has no map.
 * @typedef {{
 *   name: string, words: string[], text: string | null, weights: string | null, score?: number | null,
 *   unknown?: number[], notes?: Record<string, string>, aligned?: [number, number][],
 * }} Reading
 */

/** @param {number | null} value @param {number} digits @returns {string} */
export const figure = (value, digits) => (value === null ? "–" : value.toFixed(digits).replace("-", "−"));

/** @param {{ words: string[], text: string | null }} reading @returns {string} the text as it was written */
export const written = ({ words, text }) => (text ?? words.join(" ")) || "(no word)";

/** @type {Record<string, { name: string, value: (entry: Numbered) => number | null, show: (entry: Numbered) => string }>} */
export const MEASURES = {
  order: { name: "Test order", value: (entry) => entry.number, show: (entry) => `${entry.number}` },
  bleu: { name: "BLEU", value: (entry) => entry.bleu, show: (entry) => figure(entry.bleu, 1) },
  entropy: { name: "Entropy", value: (entry) => entry.entropy, show: (entry) => figure(entry.entropy, 2) },
  coverage: { name: "Coverage", value: (entry) => entry.coverage, show: (entry) => percent(entry.coverage) },
  length: { name: "Words", value: (entry) => entry.source.length, show: (entry) => `${entry.source.length}` },
  noted: { name: "Dimmed words", value: (entry) => noted(entry), show: (entry) => `${noted(entry)}` },
};

/** @param {Entry} entry @returns {number} words of the best hypothesis whose row should not be trusted */
export const noted = (entry) => Object.keys(entry.candidates[0].notes).length;

/** @param {Entry} entry @returns {Reading} */
export const sourceOf = (entry) =>
  ({ name: "Source", words: entry.source, text: entry.sourceText, weights: null });

/** @param {Entry} entry @returns {Reading | null} the reference, which has a map if it was forced on the model */
export const referenceOf = (entry) => (entry.reference === null ? null
  : { name: "Reference", words: entry.reference, text: entry.referenceText, weights: entry.forced });

/** @param {Entry} entry @returns {Reading[]} what the model wrote, best first */
export function hypothesesOf(entry) {
  const alone = entry.reference === null && entry.candidates.length === 1;
  return entry.candidates.map((candidate, rank) =>
    ({ name: alone ? "Translation" : `Hypothesis ${rank + 1}`, ...candidate }));
}

/**
 * A text without capitals, accents and widths, for comparison.
 * @param {string} text
 * @returns {string}
 */
export const fold = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

/**
 * The sentences that hold the text in their source, their reference or a hypothesis, as these are written.
 * @param {Numbered[]} entries
 * @param {string} text
 * @returns {Numbered[]}
 */
export function search(entries, text) {
  const wanted = fold(text.trim());
  return wanted ? entries.filter((entry) => foldedTexts(entry).some((own) => own.includes(wanted))) : entries;
}

/** @param {Numbered} entry @returns {string[]} */
function foldedTexts(entry) {
  entry.folded ??= [sourceOf(entry), referenceOf(entry), ...hypothesesOf(entry)]
    .flatMap((reading) => (reading ? [fold(written(reading))] : []));
  return entry.folded;
}

/**
 * The sentences in the order of a measure; those that lack it come last, equal ones in test order.
 * @param {Numbered[]} entries
 * @param {string} measure a key of MEASURES
 * @param {number} sign 1 for ascending, -1 for descending
 * @returns {Numbered[]}
 */
export function sort(entries, measure, sign) {
  const { value } = MEASURES[measure];
  /** @param {Numbered} a @param {Numbered} b */
  const compare = (a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === null || right === null) return Number(left === null) - Number(right === null) || a.number - b.number;
    return sign * (left - right) || a.number - b.number;
  };
  return [...entries].sort(compare);
}
