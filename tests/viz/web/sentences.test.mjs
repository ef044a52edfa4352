import assert from "node:assert/strict";
import { test } from "node:test";

import {
  MEASURES, figure, fold, hypothesesOf, search, sort, written,
} from "../../../src/heed/viz/web/sentences.mjs";
import { hypothesis, numbered } from "./examples.mjs";

/** @param {{ number: number }[]} entries */
const numbers = (entries) => entries.map(({ number }) => number);

test("a text is shown as it was written", () => {
  // Catches spaces between the words of Japanese, and a text that is missing where it equals its words.
  assert.equal(written({ words: ["猫", "は", "眠る"], text: "猫は眠る" }), "猫は眠る");
  assert.equal(written({ words: ["le", "chat"], text: null }), "le chat");
  assert.equal(written({ words: [], text: null }), "(no word)");
  assert.equal(written({ words: [], text: "" }), "(no word)");
});

for (const [script, text, words, phrase] of [
  ["Japanese", "猫は静かな家で眠る。", ["猫", "は", "静か", "な", "家", "で", "眠る", "。"], "静かな家"],
  ["Chinese", "我喜欢读书，你呢？", ["我", "喜欢", "读书", ",", "你", "呢", "?"], "读书，你"],
  ["Thai", "ฉันชอบอ่านหนังสือ", ["ฉัน", "ชอบ", "อ่าน", "หนังสือ"], "ชอบอ่าน"],
  ["Hindi", "मुझे किताबें पसंद हैं।", ["मुझे", "किताबें", "पसंद", "हैं।"], "किताबें पसंद"],
]) {
  test(`the search finds a phrase of ${script} in every text`, () => {
    // Catches a search through words that are joined with spaces which nobody wrote.
    const entries = [
      numbered(1),
      numbered(2, { source: [...words], sourceText: `${text}` }),
      numbered(3, { reference: [...words], referenceText: `${text}` }),
      numbered(4, { candidates: [hypothesis(["c"]), hypothesis([...words], `${text}`)] }),
    ];
    assert.deepEqual(numbers(search(entries, `${phrase}`)), [2, 3, 4]);
  });
}

test("the search ignores capitals, accents and widths, and the ends of what was typed", () => {
  const entries = [numbered(1, { source: ["Où", "est", "l'ÉLÈVE", "?"] }), numbered(2, { source: ["Ｗｉｄｅ"] })];
  assert.deepEqual(numbers(search(entries, " ou EST ")), [1]);
  assert.deepEqual(numbers(search(entries, "eleve")), [1]);
  assert.deepEqual(numbers(search(entries, "wide")), [2]);
  assert.deepEqual(numbers(search(entries, "  ")), [1, 2]);
});

test("a phrase does not reach from one text into the next", () => {
  // Catches texts that are joined before they are searched.
  assert.deepEqual(search([numbered(1, { source: ["red"], reference: ["house"] })], "red house"), []);
});

test("a sentence without a reference can be searched", () => {
  assert.deepEqual(numbers(search([numbered(1, { reference: null })], "c")), [1]);
});

test("sorting is by the measure, then by test order, and puts what has none last", () => {
  // Catches sorting by text, an order that changes between two sorts, and NaN, which sorts anywhere.
  const entries = [
    numbered(1, { bleu: 20 }), numbered(2, { bleu: null }), numbered(3, { bleu: 100 }), numbered(4, { bleu: 20 }),
    numbered(5, { bleu: 9 }), numbered(6, { bleu: null }),
  ];
  assert.deepEqual(numbers(sort(entries, "bleu", 1)), [5, 1, 4, 3, 2, 6]);
  assert.deepEqual(numbers(sort(entries, "bleu", -1)), [3, 1, 4, 5, 2, 6]);
  assert.deepEqual(numbers(sort(entries, "order", -1)), [6, 5, 4, 3, 2, 1]);
  assert.deepEqual(numbers(entries), [1, 2, 3, 4, 5, 6], "the given list stays as it is");
});

test("measures show what they sort by", () => {
  const candidates = [{ ...hypothesis(["c", "d"]), notes: { 1: "The word does not depend on its attention." } }];
  const entry = numbered(1, { bleu: 41.25, entropy: null, coverage: 0.5, source: ["a", "b"], candidates });
  assert.deepEqual(Object.values(MEASURES).map(({ show }) => show(entry)), ["1", "41.3", "–", "50 %", "2", "1"]);
});

test("a lone translation is called so, and ranked hypotheses by their rank", () => {
  assert.deepEqual(hypothesesOf(numbered(1, { reference: null })).map(({ name }) => name), ["Translation"]);
  const two = numbered(1, { candidates: [hypothesis(["c"]), hypothesis(["d"])] });
  assert.deepEqual(hypothesesOf(two).map(({ name }) => name), ["Hypothesis 1", "Hypothesis 2"]);
});

test("negative scores have a minus sign", () => {
  assert.equal(figure(-0.456, 2), "−0.46");
  assert.equal(fold("ÀÉ"), "ae");
});
