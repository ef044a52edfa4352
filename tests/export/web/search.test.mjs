import assert from "node:assert/strict";
import { test } from "node:test";

import { draw, largest } from "../../../src/heed/export/web/search.mjs";
import { lengthens } from "../../../src/heed/export/web/words.mjs";

test("the largest are those that sorting gives, in its order", () => {
  // Catches a value that is pushed out by a smaller one, and the wrong one of equals.
  let state = 1;
  const next = () => (state = (state * 48271) % 2147483647) % 50;
  for (const count of [1, 3, 10]) {
    for (const size of [1, 2, 9, 100]) {
      const values = Array.from({ length: size }, () => next() / 7);
      const sorted = values.map((value, at) => ({ value, at })).sort((a, b) => b.value - a.value).slice(0, count);
      assert.deepEqual(largest(values, count), sorted.map(({ at }) => at));
      assert.deepEqual(largest([9, 9, ...values, 9], count, 2, 2 + size), sorted.map(({ at }) => at));
    }
  }
});

test("what is impossible is never among the largest", () => {
  assert.deepEqual(largest([-Infinity, 1, -Infinity], 3), [1]);
  assert.deepEqual(largest([-Infinity], 1), []);
});

test("a draw falls on each word by its share", () => {
  // Catches shares of another temperature, and a number near 1 that falls on no word.
  const values = [0.2, 0, 0.5, 0.3].map(Math.log);
  assert.deepEqual([0, 0.19, 0.21, 0.69, 0.71, 0.999999].map((at) => draw(values, 1, at)), [0, 0, 2, 2, 3, 3]);
  assert.equal(draw(values, 1e-3, 0.9999), 2);
  assert.equal(draw(values, 1e6, 0.34), 2);
  assert.equal(draw([0, -Infinity], 1, 1 - 2 ** -53), 0);
});

test("letters and digits lengthen a word, marks and letters without spaces do not", () => {
  assert.deepEqual(["s", "é", "4", "ª"].map(lengthens), [true, true, true, true]);
  assert.deepEqual(["▁s", ".", "'", "", "猫", "▁"].map(lengthens), [false, false, false, false, false, false]);
});
