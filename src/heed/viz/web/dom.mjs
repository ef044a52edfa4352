// @ts-check
// Elements of a page. Every text of a sentence enters the page as a text node, never as markup.

/**
 * The element with this id; the pages have every id that the scripts name.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element #${id}`);
  return node;
}

/**
 * A new element; attributes without a value are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | undefined>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(name, `${value}`);
  node.append(...children);
  return node;
}

/** Make the page dark if it is light, and light if it is dark. */
export function switchTheme() {
  const { dataset } = document.documentElement;
  dataset.theme ??= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
}
