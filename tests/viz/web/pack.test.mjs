import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { bytes, unpack } from "../../../src/heed/viz/web/pack.mjs";

test("packed data comes back, white space around it or not", async () => {
  const value = [{ words: ["où", "猫", "</script>"], weight: null }];
  const packed = gzipSync(JSON.stringify(value)).toString("base64");
  assert.deepEqual(await unpack(packed), value);
  assert.deepEqual(await unpack(`\n${packed}\n`), value);
});

test("bytes keep every value", () => {
  const all = Array.from({ length: 256 }, (_, value) => value);
  assert.deepEqual([...bytes(Buffer.from(all).toString("base64"))], all);
});
