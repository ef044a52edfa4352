// Sentences for the tests of the pure modules.

/** @typedef {import("../../../src/heed/viz/web/sentences.mjs").Numbered} Numbered */
/** @typedef {import("../../../src/heed/viz/web/weights.mjs").Sentence} Sentence */

/** "the red house" / "la maison rouge", with a share on the source's end. @type {Sentence} */
export const HOUSE = {
  source: ["the", "red", "house"],
  target: ["la", "maison", "rouge"],
  rows: [[0.5, 0.02, 0.08], [0, 0.2, 0.8], [0, 0.97, 0.03]],
  ends: [0.4, 0, 0],
  marks: new Map([["0-0", "sure"], ["1-2", "possible"], ["2-0", "aligned"]]),
  notes: { 1: "The word does not depend on its attention." },
  unknown: { source: new Set([1]), target: new Set() },
};

/**
 * @param {number} number
 * @param {Partial<Numbered>} fields
 * @returns {Numbered}
 */
export const numbered = (number, fields = {}) => ({
  number, source: ["a"], sourceText: null, sourceUnknown: [], reference: ["b"], referenceText: null, forced: null,
  candidates: [hypothesis(["c"])], sure: [], possible: [], bleu: 0, entropy: 0, coverage: 0, ...fields,
});

/** @param {string[]} words @param {string | null} text */
export const hypothesis = (words, text = null) =>
  ({ words, text, score: -1, weights: "", unknown: [], notes: {}, aligned: [] });
