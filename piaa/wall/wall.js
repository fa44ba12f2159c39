"use strict";
const wall = document.getElementById("wall");
const controls = document.getElementById("controls");
const large = document.getElementById("large");
const figures = [...wall.children];
const MOST_IN_A_COLUMN = 200;

const number = (figure, key) => Number(figure.dataset[key]);
const orders = {
  own: (a, b) => number(a, "place") - number(b, "place"),
  crowd: (a, b) => number(a, "crowd") - number(b, "crowd"),
  moved: (a, b) =>
    Math.abs(number(b, "crowd") - number(b, "place")) - Math.abs(number(a, "crowd") - number(a, "place")),
};

function wanted() {
  const asked = new FormData(controls);
  const least = Number(asked.get("least"));
  const most = Number(asked.get("most"));
  const text = asked.get("text").toLowerCase().normalize();
  const rated = asked.get("rated") ?? "";
  // At the ends of the sliders nothing is left out, whatever a score is rounded to.
  const low = least > Number(controls.least.min) ? least : -Infinity;
  const high = most < Number(controls.most.max) ? most : Infinity;
  return (figure) =>
    number(figure, "score") >= low &&
    number(figure, "score") <= high &&
    (rated === "" || (rated === "yes") === "own" in figure.dataset) &&
    figure.querySelector(".name").textContent.toLowerCase().normalize().includes(text);
}

function column(heading, chosen, order) {
  const section = document.createElement("section");
  const title = section.appendChild(document.createElement("h2"));
  title.textContent = heading;
  const tiles = section.appendChild(document.createElement("div"));
  tiles.className = "tiles";
  const best = [...chosen].sort(order).slice(0, MOST_IN_A_COLUMN);
  tiles.append(...best.map((figure) => figure.cloneNode(true)));
  return section;
}

function show() {
  const keep = wanted();
  const chosen = figures.filter(keep);
  const view = new FormData(controls).get("view") ?? "own";
  for (const one of controls.querySelectorAll("output[for]")) one.value = controls.elements[one.htmlFor].value;
  document.querySelector(".both")?.remove();
  wall.hidden = view === "both";
  if (view === "both") {
    const label = (value) => controls.querySelector(`[value="${value}"]`).parentNode.textContent.trim();
    const both = document.createElement("div");
    both.className = "both";
    both.append(...["own", "crowd"].map((order) => column(label(order), chosen, orders[order])));
    wall.after(both);
  } else {
    wall.replaceChildren(...chosen.sort(orders[view]));
  }
  const cut = view === "both" && chosen.length > MOST_IN_A_COLUMN ? `, the best ${MOST_IN_A_COLUMN} of each` : "";
  document.getElementById("count").textContent =
    `${chosen.length.toLocaleString("en")} of ${figures.length.toLocaleString("en")} photos${cut}`;
}

// Asks no link where it is: the browser would lay out every tile that it has left for later.
const links = () => [...document.querySelectorAll(wall.hidden ? ".both figure a" : "#wall figure a")];

function enlarge(link) {
  large.shown = link;
  const caption = link.parentNode.querySelector("figcaption");
  const picture = large.querySelector("img");
  picture.src = link.href;
  picture.alt = caption.querySelector(".name").textContent;
  // The text as it is written: of a tile that is out of sight none is drawn.
  large.querySelector(".said").textContent = caption.textContent.replace(/\s+/g, " ");
  large.querySelector("a").href = link.href;
  if (!large.open) large.showModal();
}

function step(by) {
  const all = links();
  const next = all[all.indexOf(large.shown) + by];
  if (next) enlarge(next);
}

function move(link, key) {
  const all = links();
  const at = all.indexOf(link);
  const grid = getComputedStyle(link.closest(".tiles"));
  const inARow = grid.gridTemplateColumns.split(" ").length;
  const target = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - inARow, ArrowDown: at + inARow,
    Home: 0, End: all.length - 1 }[key];
  if (target === undefined || !all[target]) return false;
  all[target].focus();
  return true;
}

document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest("figure a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  enlarge(link);
});
document.querySelector("main").addEventListener("keydown", (event) => {
  const link = event.target.closest("figure a");
  if (link && !event.altKey && move(link, event.key)) event.preventDefault();
});
large.addEventListener("click", (event) => {
  const asked = event.target.value;
  if (asked === "close" || event.target === large) large.close();
  if (asked === "back") step(-1);
  if (asked === "on") step(1);
});
large.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
large.addEventListener("close", () => {
  large.querySelector("img").removeAttribute("src");
  large.shown?.focus();
});
if (controls) {
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", show);
  show();
}
