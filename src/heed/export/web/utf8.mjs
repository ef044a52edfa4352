// @ts-check
// Text as bytes in UTF-8, and back.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // U+FEFF at the start is a character like others

/** @param {string} text */
export const toBytes = (text) => encoder.encode(text);

/** @param {Uint8Array} bytes @returns {string} with U+FFFD for what is no text */
export const toText = (bytes) => decoder.decode(bytes);

/** @param {number} byte the first one of a character @returns {number} how many bytes the character has */
export const characterSize = (byte) => (byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);
