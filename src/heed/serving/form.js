"use strict";
const at = (id) => document.getElementById(id);
const make = (tag, text, parent) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function show(one, parent) {
  make("p", one.text, parent).lang = languages[at("model").value] || "";
  make("p", `score ${one.score.toFixed(3)}${one.finished ? "" : ", cut at its longest length"}`, parent).className = "score";
  if (!one.attention) return;
  const box = make("div", undefined, parent);
  box.className = "scroll";
  const table = make("table", undefined, box);
  const head = make("tr", undefined, table);
  make("td", "", head);
  for (const word of one.source_words) make("th", word, head).scope = "col";
  one.attention.forEach((weights, row) => {
    const line = make("tr", undefined, table);
    make("th", one.words[row], line).scope = "row";
    for (const weight of weights) {
      const cell = make("td", weight.toFixed(2), line);
      cell.style.backgroundColor = `rgb(70 130 220 / ${weight})`;
    }
  });
}

let languages = {};
ask("model").then(({ models }) => {
  for (const one of models) {
    make("option", one.name, at("model"));
    languages[one.name] = one.tgt_lang;
  }
}).catch((error) => { at("status").textContent = error.message; });

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("status").className = "";
  at("status").textContent = "…";
  try {
    const { translations } = await ask("translate", {
      text: at("text").value.split("\n").filter((line) => line.trim()),
      model: at("model").value || null,
      search: at("search").value,
      n_best: Number(at("n_best").value),
      attention: at("attention").checked,
    });
    at("results").replaceChildren();
    for (const one of translations) {
      const section = make("section", undefined, at("results"));
      show(one, section);
      for (const other of one.others) show(other, section);
    }
    at("status").textContent = "";
  } catch (error) {
    at("status").className = "error";
    at("status").textContent = error.message;
  }
});
