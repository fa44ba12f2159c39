// The photographer's page. Photos are named by their row in the album; what the server knows of them arrives
// as news, and is sorted, filtered and laid out here. Every answer waits until the server has saved it.

const $ = (selector, within = document) => within.querySelector(selector);
const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const NUMBERS = new Intl.NumberFormat("en");
const counted = (n, word) => `${NUMBERS.format(n)} ${word}${n === 1 ? "" : "s"}`;
const wall = $("#wall");
const scroller = $("#scroll");
const filters = $("#filters");

// ---- what is known ----

const album = { names: [], n: 0, root: "" };
const facts = {}; // width, height, taken, crowd: numbers by row; version, error: text by row; picture: 0 or 1
const known = { facts: 0, said: 0, scored: 0, bursts: 0, stars: 0, n_read: 0 };
let user = document.documentElement.dataset.user;
const replaced = new Map(); // versions of photos whose file changed and was not read yet, by row
let said = { own: {}, flags: {}, scale: [1, 5], worth: "", n_comparisons: 0 };
let found = { n: 0, n_new: 0, stars: {} };
let scores = new Float32Array(0);
let others = null; // the scores of the other person
let teaches = null;
let bursts = new Int32Array(0);
let order = []; // rows that the wall shows, in their order
const places = { mine: new Int32Array(0), crowd: new Int32Array(0) };
const opened = new Set(); // bursts that are unfolded
const members = new Map(); // of each stack, by the row in front

const own = (row) => said.own[row];
const flagOf = (row) => said.flags[row];
const score = (row) => own(row) ?? scores[row];

// ---- the server ----

class Refused extends Error {}

async function ask(path, parameters = {}) {
  const query = new URLSearchParams({ user, ...parameters });
  return checked(await fetch(`${path}?${query}`));
}

async function tell(path, content) {
  const body = JSON.stringify({ user, ...content });
  return checked(await fetch(path, { method: "POST", body, headers: { "Content-Type": "application/json" } }));
}

async function checked(answer) {
  const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
  if (answer.ok) return isJson ? answer.json() : answer.arrayBuffer();
  throw new Refused(isJson ? (await answer.json()).error : await answer.text());
}

const numbers = async (kind, path, parameters) => new kind(await ask(path, parameters));

async function follow() {
  for (;;) {
    const whose = user;
    try {
      const { n_read, ...seen } = await ask("/api/news", known);
      $("#offline").hidden = true;
      if (whose !== user) continue;
      known.n_read = n_read;
      await take(seen);
    } catch (error) {
      if (whose !== user) continue;
      lost(error);
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
}

async function take(seen) {
  let changed = false;
  if (seen.said !== known.said) {
    said = await ask("/api/said");
    changed = true;
  }
  if (seen.facts !== known.facts) {
    await takeFacts();
    changed = true;
  }
  if (seen.scored !== known.scored || seen.facts !== known.facts) scores = await numbers(Float32Array, "/api/scores");
  if (seen.scored !== known.scored) {
    changed = true;
    teaches = null;
  }
  if (seen.bursts !== known.bursts) {
    bursts = await numbers(Int32Array, "/api/bursts");
    changed = true;
  }
  if (seen.stars !== known.stars) await takeStars();
  Object.assign(known, { said: seen.said, scored: seen.scored, bursts: seen.bursts, stars: seen.stars });
  if (changed) await arrange();
  tellWorth();
}

async function takeFacts() {
  for (;;) {
    const { end, rows } = await ask("/api/facts", { start: known.facts });
    if (end === known.facts) return;
    known.facts = end;
    for (const [row, width, height, taken, crowd, picture, version, error] of rows) {
      const before = facts.version[row] || replaced.get(row);
      facts.width[row] = width ?? 3;
      facts.height[row] = height ?? 2;
      facts.taken[row] = taken ?? NaN;
      facts.crowd[row] = crowd ?? NaN;
      facts.picture[row] = picture ? 1 : 0;
      facts.version[row] = version;
      facts.error[row] = error;
      tiles.get(row)?.remove();
      tiles.delete(row);
      if (before && !version) replaced.set(row, before);
      else if (before) replaced.delete(row);
      if (before && version && before !== version) showAnew(row);
    }
  }
}

// The file is another photo now: whoever looks at it must see that one.
function showAnew(row) {
  loading.delete(row);
  const isShown = loupe.dialog.open ? loupe.row === row : duel.dialog.open && duel.rows?.includes(row);
  if (!isShown) return;
  if (loupe.dialog.open) loupe.show();
  else duel.show();
  toast(`${album.names[row]} changed on the disk: this is the new one.`);
}

async function takeStars() {
  found = await ask("/api/stars");
  const box = $("#found");
  box.hidden = !found.n_new || box.dataset.later === user;
  if (box.hidden) return;
  const counts = Object.entries(found.counts).reverse().map(([stars, n]) => `${"★".repeat(stars)} ${NUMBERS.format(n)}`);
  const new_ = found.n_new < found.n ? `, ${NUMBERS.format(found.n_new)} of them new` : "";
  $("p", box).textContent =
    `Stars in the files or sidecars of ${counted(found.n, "photo")} (${counts.join(", ")})${new_}. ` +
    `Did ${user === "me" ? "you" : user} give them?`;
}

const reason = (error) =>
  error instanceof Refused
    ? error.message
    : "piaa does not answer. Every answer so far is saved; start it again with piaa open, and open the address that it prints.";

function lost(error) {
  const box = $("#offline");
  box.textContent = reason(error);
  (document.querySelector("dialog[open]") ?? document.body).append(box);
  box.hidden = false;
}

// Of whatever a person asked for she is told that it failed; not in the box, which goes as soon as there are news.
const fail = (error) => toast(reason(error), true);

let toastTimer = 0;
function toast(text, isBad = false) {
  const box = $("#toast");
  box.textContent = text;
  box.className = isBad ? "bad" : "";
  (document.querySelector("dialog[open]") ?? document.body).append(box);
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.hidden = true), isBad ? 7000 : 2500);
}

// ---- answers, one after the other ----

let queue = Promise.resolve();

function answer(path, content) {
  const whose = user; // another may sit here before its turn comes
  const done = queue.then(async () => {
    const { own, flags } = await tell(path, { ...content, user: whose });
    if (whose !== user) return;
    if (own) said = { ...said, own, flags, can_undo: true, can_redo: path === "/api/undo" };
    showSaid();
  });
  queue = done.catch(() => {});
  return done.catch((error) => {
    fail(error);
    throw error;
  });
}

// An answer is to the pictures that were shown; should one have changed on the disk, it is refused.
const shown = (rows) => rows.map((row) => facts.version[row]);
const rate = (row, stars) => answer("/api/rate", { row, stars, versions: shown([row]) });
const flag = (rows, which) => answer("/api/flag", { rows, flag: which, versions: shown(rows) });
const undo = () => answer("/api/undo", {}).then(() => toast("Undone"), () => {});
const redo = () => answer("/api/redo", {}).then(() => toast("Done again"), () => {});

function showSaid() {
  for (const row of tiles.keys()) dress(row);
  if ($("#loupe").open) loupe.dress();
  $("#undo").disabled = !said.can_undo;
  $("#redo").disabled = !said.can_redo;
}

// ---- order and filters ----

const value = (name) => filters.elements[name].value;
const isKnown = (row) => !Number.isNaN(facts.crowd[row]);

function ranked(rows, key, isUpwards = false) {
  // NaN, of photos that nobody looked at yet, goes to the end; equals are in the order of the rows.
  const values = new Float64Array(album.n);
  for (const row of rows) {
    const found = isUpwards ? key(row) : -key(row);
    values[row] = found === found ? found : Infinity;
  }
  return rows.sort((a, b) => (values[a] === values[b] ? a - b : values[a] - values[b]));
}

const mine = (row) => {
  const given = own(row);
  // A star of hers stands; among equal stars the prediction orders.
  return given === undefined ? scores[row] : given + scores[row] / 1000;
};
const onScale = (unit) => said.scale[0] + (said.scale[1] - said.scale[0]) * unit;

const keys = {
  mine: [mine, false],
  crowd: [(row) => facts.crowd[row], false],
  time: [(row) => facts.taken[row], true],
  name: [(row) => row, true],
  surprise: [(row) => Math.abs(score(row) - onScale(facts.crowd[row]) - level()), false],
  teaches: [(row) => (own(row) === undefined ? (teaches?.[row] ?? NaN) : NaN), false],
  differs: [(row) => Math.abs(scores[row] - (others?.[row] ?? NaN)), false],
};

let levelled = 0;
const level = () => levelled;

function placed(rows, key) {
  const found = new Int32Array(album.n);
  ranked(rows, key).forEach((row, place) => (found[row] = place + 1));
  return found;
}

function fitting() {
  // The form is asked once, not once a photo.
  const [rated, which, text] = [value("rated"), value("flag"), value("text").toLowerCase().normalize()];
  return (row) => {
    const stars = own(row);
    if (rated === "yes" && stars === undefined) return false;
    if (rated === "no" && stars !== undefined) return false;
    if (rated > "0" && rated < "9" && !(stars >= Number(rated))) return false;
    const has = flagOf(row);
    if (which === "none" ? has : which === "kept" ? has === "reject" : which && has !== which) return false;
    return !text || album.names[row].toLowerCase().normalize().includes(text);
  };
}

let placedAt = -1; // news of the album by which the crowd's places were found
async function arrange() {
  const sort = value("sort");
  if (sort === "teaches" && !teaches) teaches = await numbers(Float32Array, "/api/teaches").catch(() => null);
  if (sort === "differs") await takeOther().catch(fail);
  const all = Array.from({ length: album.n }, (_, row) => row);
  const read = all.filter(isKnown);
  levelled = read.length ? read.reduce((sum, row) => sum + scores[row] - onScale(facts.crowd[row]), 0) / read.length : 0;
  places.mine = placed([...read], mine);
  if (placedAt !== known.facts) places.crowd = placed([...read], (row) => facts.crowd[row]);
  placedAt = known.facts;
  order = stacked(ranked(all.filter(fitting()), ...keys[sort]));
  $("#empty").hidden = order.length > 0 || album.n === 0;
  lay();
  tellCount(all);
}

function stacked(rows) {
  members.clear();
  if (!filters.elements.stacks.checked || !bursts.length) return rows;
  const groups = new Map();
  for (const row of rows) {
    const burst = bursts[row];
    if (burst < 0) continue;
    if (groups.has(burst)) groups.get(burst).push(row);
    else groups.set(burst, [row]);
  }
  const shown = [];
  for (const row of rows) {
    const group = groups.get(bursts[row]) ?? [row];
    if (group[0] !== row) continue;
    if (group.length > 1) members.set(row, group);
    shown.push(row);
    if (opened.has(bursts[row])) shown.push(...group.slice(1));
  }
  return shown;
}

async function takeOther() {
  const other = value("other");
  if (!other) return;
  others = new Float32Array(await checked(await fetch(`/api/scores?${new URLSearchParams({ user: other })}`)));
}

function tellCount(all) {
  const parts = [`${NUMBERS.format(order.length)} of ${counted(album.n, "photo")}`];
  const broken = all.filter((row) => facts.error[row]).length;
  const left = album.n - known.n_read - broken;
  if (left > 0) parts.push(`${NUMBERS.format(left)} still to read`);
  if (broken) parts.push(`${NUMBERS.format(broken)} cannot be read`);
  if (said.n_elsewhere) parts.push(`${counted(said.n_elsewhere, "rating")} of other photos`);
  $("#count").textContent = parts.join(" · ");
  const stacks = [...members.values()];
  $("#keepone").hidden = !stacks.length;
  const more = stacks.reduce((n, group) => n + group.length - 1, 0);
  $("#keepone p").textContent = `${counted(stacks.length, "burst")} with ${counted(more, "photo")} behind the best one.`;
}

function tellWorth() {
  $("#worth").textContent = said.problem || said.worth;
  if ($("#loupe").open && loupe.isAsking) loupe.tellWorth();
  $("#undo").disabled = !said.can_undo;
  $("#redo").disabled = !said.can_redo;
}

// ---- the wall: rows of equal height, of which only those in sight exist ----

const GAP = 8;
const CAPTION = 24;
const lines = []; // {top, height, start, end}
const boxes = { left: new Float32Array(0), width: new Float32Array(0) };
const tiles = new Map();
let current = -1; // row of the photo that has the focus

const ratio = (row) => Math.min(3, Math.max(0.5, facts.width[row] / facts.height[row]));

function lay() {
  const width = scroller.clientWidth - parseFloat(getComputedStyle(scroller).paddingLeft) * 2;
  const wish = Math.min(Number(value("size")), width * 0.6);
  lines.length = 0;
  boxes.left = new Float32Array(order.length);
  boxes.width = new Float32Array(order.length);
  let [top, start, sum] = [0, 0, 0];
  for (let at = 0; at < order.length; at++) {
    sum += ratio(order[at]);
    const n = at - start + 1;
    const height = (width - GAP * (n - 1)) / sum;
    if (height > wish && at < order.length - 1) continue;
    const used = Math.min(height, wish * 1.25);
    let left = 0;
    for (let one = start; one <= at; one++) {
      boxes.left[one] = left;
      boxes.width[one] = used * ratio(order[one]);
      left += boxes.width[one] + GAP;
    }
    lines.push({ top, height: used, start, end: at + 1 });
    top += used + CAPTION + GAP;
    [start, sum] = [at + 1, 0];
  }
  wall.style.height = `${top + 24}px`;
  draw();
}

function lineAt(y) {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines[middle].top <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

function draw() {
  const [from, to] = [scroller.scrollTop - 500, scroller.scrollTop + scroller.clientHeight + 500];
  const seen = new Set();
  if (lines.length) {
    for (let number = lineAt(from); number < lines.length && lines[number].top < to; number++) {
      for (let at = lines[number].start; at < lines[number].end; at++) {
        seen.add(order[at]);
        put(order[at], at, lines[number]);
      }
    }
  }
  for (const [row, tile] of tiles) {
    if (seen.has(row)) continue;
    tile.remove();
    tiles.delete(row);
  }
  want([...seen].filter((row) => !facts.picture[row] && !facts.error[row]));
  askIntervals([...seen].filter((row) => isKnown(row) && own(row) === undefined));
}

// Scores come first, their intervals once she stays for a moment, of what is in sight alone.
const likely = ([low, high]) => `8 of 10 of your ratings are expected between ${low} and ${high}`;
let intervalTimer = 0;
function askIntervals(rows) {
  clearTimeout(intervalTimer);
  if (!said.is_learned || !rows.length) return;
  intervalTimer = setTimeout(async () => {
    const intervals = await ask("/api/intervals", { rows: rows.join() }).catch(() => ({}));
    for (const [row, ends] of Object.entries(intervals)) {
      const guess = tiles.has(Number(row)) && $(".guess", tiles.get(Number(row)));
      if (guess) guess.title = likely(ends);
    }
  }, 400);
}

function put(row, at, line) {
  let tile = tiles.get(row);
  if (!tile) {
    tile = make(row);
    tiles.set(row, tile);
    wall.append(tile);
  }
  tile.style.transform = `translate(${boxes.left[at]}px, ${line.top}px)`;
  tile.style.width = `${boxes.width[at]}px`;
  tile.style.height = `${line.height + CAPTION}px`;
  tile.ariaSetSize = String(order.length);
  tile.ariaPosInSet = String(at + 1);
  dress(row, at);
}

function make(row) {
  const frame = element("span", { className: "frame" });
  if (facts.picture[row]) {
    frame.append(element("img", { src: `/thumb/${row}?v=${facts.version[row]}`, alt: "", decoding: "async", draggable: false }));
  } else {
    frame.append(element("span", { className: "wait", textContent: facts.error[row] || "" }));
  }
  const button = element("button", { type: "button", className: "open" }, frame, element("span", { className: "caption" }));
  button.addEventListener("click", () => loupe.open(order, row));
  button.addEventListener("focus", () => (current = row));
  const tile = element("div", { className: "tile", role: "listitem" }, button);
  tile.row = row;
  return tile;
}

const stars = (n) => "★".repeat(Math.round(n));
const ownText = (n) => (said.scale[0] === 1 && said.scale[1] === 5 ? stars(n) : `★ ${Number(n.toFixed(2))}`);

function dress(row, at = order.indexOf(row)) {
  const tile = tiles.get(row);
  if (!tile) return;
  const [given, which, group] = [own(row), flagOf(row), members.get(row)];
  tile.classList.toggle("rejected", which === "reject");
  tile.classList.toggle("stack", Boolean(group) && !opened.has(bursts[row]));
  tile.classList.toggle("loose", members.size > 0 && opened.has(bursts[row]));
  const moved = places.crowd[row] - places.mine[row];
  const caption = $(".caption", tile);
  const parts = [element("span", { className: "no", textContent: NUMBERS.format(at + 1) })];
  if (given !== undefined) parts.push(element("span", { className: "own", textContent: ownText(given) }));
  else if (isKnown(row)) parts.push(element("span", { className: "guess", textContent: scores[row].toFixed(1) }));
  if (found.stars[row] && given === undefined) parts.push(element("span", { className: "label", textContent: `file ${stars(found.stars[row])}` }));
  if (["name", "time"].includes(value("sort"))) parts.push(element("bdi", { className: "label", textContent: label(row) }));
  else if (said.is_learned && moved) parts.push(element("span", { className: `moved ${moved > 0 ? "up" : "down"}`, textContent: `${moved > 0 ? "▲" : "▼"} ${NUMBERS.format(Math.abs(moved))}` }));
  caption.replaceChildren(...parts);
  $(".mark", tile)?.remove();
  if (which) $(".frame", tile).append(element("span", { className: `mark ${which}`, textContent: which === "pick" ? "⚑" : "✕" }));
  fold(tile, row, group);
  const button = $("button.open", tile);
  button.ariaLabel = spoken(row, at, given, which, moved);
  button.tabIndex = row === current || (current < 0 && at === 0) ? 0 : -1;
}

function fold(tile, row, group) {
  $(".fold", tile)?.remove();
  if (!group) return;
  const isOpen = opened.has(bursts[row]);
  const button = element("button", { type: "button", className: "fold", textContent: isOpen ? "fold" : `⧉ ${group.length}` });
  button.ariaLabel = isOpen ? "Fold the burst" : `Unfold the burst of ${group.length}`;
  button.tabIndex = -1;
  button.addEventListener("click", () => unfold(row));
  tile.append(button);
}

function unfold(row) {
  const burst = bursts[row];
  if (!opened.delete(burst)) opened.add(burst);
  arrange();
}

function label(row) {
  if (value("sort") === "name") return album.names[row];
  if (Number.isNaN(facts.taken[row])) return "no time";
  return new Date(facts.taken[row] * 1000).toISOString().slice(0, 16).replace("T", " ");
}

function spoken(row, at, given, which, moved) {
  const parts = [`${at + 1}`, album.names[row]];
  if (given !== undefined) parts.push(`you gave ${Number(given.toFixed(2))}`);
  else if (isKnown(row)) parts.push(`predicted ${scores[row].toFixed(1)}`);
  if (which) parts.push(which === "pick" ? "picked" : "rejected");
  if (said.is_learned && moved) parts.push(`${moved > 0 ? "up" : "down"} ${Math.abs(moved)} against the crowd`);
  return parts.join(", ");
}

let wantTimer = 0;
let wanted = "";
function want(rows) {
  const key = rows.join();
  if (key === wanted) return;
  wanted = key;
  clearTimeout(wantTimer);
  wantTimer = setTimeout(() => tell("/api/want", { rows }).catch(() => {}), 80);
}

function walk(by) {
  const at = Math.max(0, order.indexOf(current));
  const line = lines.findIndex(({ start, end }) => at >= start && at < end);
  let to = at;
  if (Math.abs(by) === 1) to = at + by;
  else {
    const next = lines[line + Math.sign(by)];
    if (!next) return;
    const middle = boxes.left[at] + boxes.width[at] / 2;
    to = next.start;
    while (to + 1 < next.end && boxes.left[to] + boxes.width[to] < middle) to++;
  }
  if (to >= 0 && to < order.length) focusOn(order[to]);
}

function focusOn(row) {
  const at = order.indexOf(row);
  const line = lines.find(({ start, end }) => at >= start && at < end);
  if (!line) return;
  current = row;
  if (line.top < scroller.scrollTop) scroller.scrollTop = line.top - 4;
  const bottom = line.top + line.height + CAPTION + GAP;
  if (bottom > scroller.scrollTop + scroller.clientHeight - 12) scroller.scrollTop = bottom - scroller.clientHeight + 24;
  draw();
  for (const [one, tile] of tiles) $("button.open", tile).tabIndex = one === row ? 0 : -1;
  $("button.open", tiles.get(row))?.focus({ preventScroll: true });
}

// ---- the loupe: one large photo ----

const loupe = {
  dialog: $("#loupe"),
  rows: [],
  at: 0,
  isAsking: false,
  isPairBetter: false,
  get row() {
    return this.rows[this.at];
  },
  open(rows, row) {
    this.isAsking = false;
    this.rows = [...rows];
    this.at = Math.max(0, this.rows.indexOf(row));
    this.dialog.setAttribute("aria-label", "One photo");
    if (!this.dialog.open) this.dialog.showModal();
    this.show();
  },
  async teach() {
    const asked = await ask("/api/ask").catch(fail);
    if (!asked) return;
    const { rows } = asked;
    this.isPairBetter = asked.is_pair_better;
    if (!rows.length) return toast(known.n_read ? "Every photo is rated." : "No photo was read yet; wait a moment.");
    this.isAsking = true;
    this.rows = rows;
    this.at = 0;
    this.dialog.setAttribute("aria-label", "Rate what teaches most");
    if (!this.dialog.open) this.dialog.showModal();
    this.show();
  },
  show() {
    const row = this.row;
    const picture = $(".stage img", this.dialog);
    $(".stage", this.dialog).classList.remove("zoomed");
    $("[data-do=zoom]", this.dialog).ariaPressed = "false";
    picture.alt = album.names[row];
    $(".broken", this.dialog).hidden = !facts.error[row];
    $(".broken", this.dialog).textContent = facts.error[row];
    picture.hidden = Boolean(facts.error[row]);
    // The thumbnail is there at once, the photo follows.
    if (facts.picture[row]) picture.src = `/thumb/${row}?v=${facts.version[row]}`;
    else picture.removeAttribute("src");
    large(row).then((source) => row === this.row && !$(".stage", this.dialog).classList.contains("zoomed") && (picture.src = source), () => {});
    for (const next of [this.rows[this.at + 1], this.rows[this.at + 2], this.rows[this.at - 1]]) if (next !== undefined) large(next).catch(() => {});
    $(".asked", this.dialog).hidden = !this.isAsking;
    this.tellWorth();
    this.dress();
    if (!$("#why").hidden) showWhy(row);
    this.interval(row);
  },
  async interval(row) {
    const found = await ask("/api/intervals", { rows: row }).catch(() => ({}));
    if (row !== this.row || !found[row]) return;
    const [low, high] = found[row];
    $(".guess", this.dialog).title = likely(found[row]);
    if (own(row) === undefined) $(".guess", this.dialog).textContent = `☆ ${scores[row].toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
  },
  tellWorth() {
    const hint = this.isPairBetter ? " Comparing two teaches more for your time just now: C." : "";
    $(".asked", this.dialog).textContent = said.worth + hint;
  },
  dress() {
    const [row, given] = [this.row, own(this.row)];
    const guess = isKnown(row) ? Math.round(scores[row]) : 0;
    $$(".stars button", this.dialog).forEach((button, place) => {
      button.classList.toggle("on", given !== undefined && place < Math.round(given));
      button.classList.toggle("near", given === undefined && said.is_learned && place + 1 === guess);
      button.textContent = given !== undefined && place < Math.round(given) ? "★" : "☆";
      button.ariaPressed = String(given !== undefined && place + 1 === Math.round(given));
    });
    $$(".flags button", this.dialog).forEach((button) => (button.ariaPressed = String(flagOf(row) === button.dataset.flag)));
    $(".guess", this.dialog).textContent = given !== undefined ? `yours, predicted ${scores[row].toFixed(1)}` : isKnown(row) ? `☆ ${scores[row].toFixed(1)}` : "";
    $(".name", this.dialog).textContent = album.names[row];
    $(".place", this.dialog).textContent = this.isAsking ? "" : `${NUMBERS.format(this.at + 1)} of ${NUMBERS.format(this.rows.length)}`;
  },
  step(by) {
    const next = this.at + by;
    if (next < 0 || next >= this.rows.length) return this.isAsking && by > 0 ? this.teach() : toast(by > 0 ? "This is the last photo." : "This is the first photo.");
    this.at = next;
    this.show();
  },
  async rate(n) {
    const row = this.row;
    try {
      await rate(row, n);
    } catch {
      return;
    }
    if (this.row !== row || n === null || !$("#advance").checked) return;
    if (this.isAsking) this.refill();
    this.step(1);
  },
  async refill() {
    // What teaches most after this answer. She may be further when the answer comes: what she looks at by then,
    // and the next photo, which is loaded already, stay as they are.
    const next = this.rows[this.at + 1];
    if (next === undefined) return;
    const { rows, is_pair_better } = await ask("/api/ask", { leave_out: next }).catch(() => ({ rows: [] }));
    if (!this.isAsking || !rows.length) return;
    this.isPairBetter = is_pair_better;
    this.tellWorth();
    const kept = this.rows.slice(0, this.at + 2);
    this.rows = [...kept, ...rows.filter((row) => own(row) === undefined && !kept.includes(row))];
  },
  async flag(which) {
    const row = this.row;
    try {
      await flag([row], which);
    } catch {
      return;
    }
    if (this.row === row && which && !this.isAsking && $("#advance").checked) this.step(1);
  },
  async zoom() {
    const [stage, picture] = [$(".stage", this.dialog), $(".stage img", this.dialog)];
    const isIn = stage.classList.toggle("zoomed");
    $("[data-do=zoom]", this.dialog).ariaPressed = String(isIn);
    if (!isIn) return this.show();
    const row = this.row;
    const source = `/photo/${row}/whole?v=${facts.version[row]}`;
    const whole = new Image();
    whole.src = source;
    await whole.decode().catch(() => {});
    if (row !== this.row || !stage.classList.contains("zoomed")) return;
    picture.src = source;
    await picture.decode().catch(() => {});
    stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
  },
};

const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const loading = new Map(); // photos for the screen, the last few
function large(row) {
  if (loading.has(row)) return loading.get(row);
  const source = `/photo/${row}?v=${facts.version[row]}`;
  const picture = new Image();
  picture.src = source;
  const done = picture.decode().then(() => source);
  done.picture = picture;
  loading.set(row, done);
  if (loading.size > 6) loading.delete(loading.keys().next().value);
  return done;
}

async function showWhy(row) {
  const panel = $("#why");
  const told = await ask(`/api/why/${row}`).catch((error) => ({ error: error.message, near: [], directions: [] }));
  if (row !== loupe.row) return;
  const parts = [element("h2", { textContent: "Nearest of those you rated" })];
  if (told.near.length) parts.push(some(told.near));
  else parts.push(element("p", { textContent: told.error ?? "You rated nothing yet." }));
  for (const [sign, title] of [[1, "What raises it"], [-1, "What lowers it"]]) {
    const directions = told.directions.filter(({ adds }) => Math.sign(adds) === sign).slice(0, 2);
    if (!directions.length) continue;
    parts.push(element("h2", { textContent: title }));
    for (const one of directions) {
      const adds = element("span", { className: "adds", textContent: `${one.adds > 0 ? "+" : "−"}${Math.abs(one.adds).toFixed(2)}` });
      parts.push(element("p", {}, adds, " it has more of what these of yours have:"), some(one.towards));
    }
  }
  if (told.generic !== null && told.generic !== undefined) {
    const text = `The crowd’s taste adds ${told.generic.toFixed(2)}, photos like it ${told.alike.toFixed(2)}, all else ${told.others.toFixed(2)}, beside the average photo that you rated.`;
    parts.push(element("p", { textContent: text }));
  }
  panel.replaceChildren(...parts);
}

function some(photos) {
  const figures = photos.map(({ row, score }) => {
    const text = element("span", { className: "own", textContent: ownText(score) });
    if (row === null) return element("figure", {}, element("span", { textContent: "in another folder " }), text);
    const button = element("button", { type: "button" }, element("img", { src: `/thumb/${row}?v=${facts.version[row]}`, alt: album.names[row] }));
    button.addEventListener("click", () => loupe.open([...new Set([...loupe.rows, row])], row));
    return element("figure", {}, button, text);
  });
  return element("div", { className: "some" }, ...figures);
}

// ---- comparing two ----

const duel = {
  dialog: $("#duel"),
  rows: null,
  skipped: 0,
  n: 0,
  async open() {
    this.n = 0;
    if (await this.next()) this.dialog.showModal();
  },
  async next() {
    this.rows = null; // no pair is answered twice
    const asked = await ask("/api/pair", { skip: this.skipped }).catch(fail);
    if (!asked) return false;
    if (!asked.rows) {
      this.skipped = 0; // asked again, the skipped ones come back
      toast(known.n_read < Math.min(2, album.n) ? "Too few photos were read yet; wait a moment." : "There is no further pair to ask for.");
      this.dialog.close();
      return false;
    }
    this.rows = asked.rows;
    this.show();
    return true;
  },
  show() {
    const buttons = this.rows.map((row, side) => {
      const picture = element("img", { src: `/thumb/${row}?v=${facts.version[row]}`, alt: album.names[row], draggable: false });
      large(row).then((source) => (picture.src = source), () => {});
      const button = element("button", { type: "button", ariaLabel: `${side ? "The right one" : "The left one"}: ${album.names[row]}` }, picture);
      button.addEventListener("click", () => this.say(side ? "b" : "a"));
      return button;
    });
    $(".two", this.dialog).replaceChildren(...buttons);
    $(".asked", this.dialog).textContent = `Which one do you like better? ${this.n ? `${counted(this.n, "answer")} in this round.` : ""} ${said.compared ?? ""}`;
  },
  async say(outcome) {
    if (this.isBusy || !this.rows) return;
    this.isBusy = true;
    const [a, b] = this.rows;
    try {
      await answer("/api/compare", { a, b, outcome, versions: shown([a, b]) });
      this.n += 1;
      this.skipped = 0;
      await this.next();
    } catch {
      // Told already; the pair stays.
    } finally {
      this.isBusy = false;
    }
  },
  async skip() {
    if (this.isBusy) return; // what she skips she has seen
    this.isBusy = true;
    this.skipped += 1;
    await this.next();
    this.isBusy = false;
  },
};

// ---- saving ----

async function sidecars(path, content) {
  const result = $("#sidecar-result");
  result.textContent = "…";
  const writing = $("#saving [data-do=write]");
  writing.hidden = true;
  try {
    const told = await tell(path, content);
    const skipped = Object.entries(told.skipped).map(([name, why]) => `${name}: ${why}`);
    if (path.endsWith("undo")) {
      result.textContent = `${counted(told.n_back, "sidecar")} as before, ${NUMBERS.format(told.n_removed)} removed that piaa made.`;
    } else if (content.dry_run) {
      result.textContent =
        `${counted(told.n_sidecars, "sidecar")} would be written, ${NUMBERS.format(told.n_new)} of them new` +
        (content.stars ? `; stars in ${NUMBERS.format(told.n_stars)}, none where you rated or rejected` : "") +
        (told.n_same ? `; ${NUMBERS.format(told.n_same)} say so already` : "") + ". Nothing was written.";
      writing.hidden = !told.n_sidecars;
      result.append(list(told.names));
    } else result.textContent = `${counted(told.n_written, "sidecar")} written. “Take back” undoes it.`;
    if (skipped.length) result.append(list(skipped));
  } catch (error) {
    result.textContent = error.message;
  }
}

const list = (texts) => element("ul", {}, ...texts.map((text) => element("li", {}, element("bdi", { textContent: text }))));

async function write(path, content, result) {
  result.textContent = "…";
  try {
    const { lines } = await tell(path, content);
    result.replaceChildren(list(lines));
  } catch (error) {
    result.textContent = error.message;
  }
}

const saving = {
  look: () => sidecars("/api/sidecars", { dry_run: true, stars: $("#with-stars").checked }),
  write: () => sidecars("/api/sidecars", { dry_run: false, stars: $("#with-stars").checked }),
  back: () => sidecars("/api/sidecars/undo", {}),
  copy: () => best("copy"),
  link: () => best("link"),
  html: () => write("/api/html", { folder: $("#html-folder").value }, $("#html-result")),
  close: () => $("#saving").close(),
};

const best = (how) =>
  write("/api/best", { how, n: Number($("#top-n").value), folder: $("#top-folder").value, one_of_each: $("#top-one").checked }, $("#top-result"));

function sure(text) {
  const dialog = $("#sure");
  $("#sure-text").textContent = text;
  dialog.showModal();
  return new Promise((done) => {
    const end = (event) => {
      const which = event.target.dataset?.do;
      if (event.type === "click" && !which) return;
      dialog.removeEventListener("click", end);
      dialog.removeEventListener("close", end);
      dialog.close();
      done(which === "yes");
    };
    dialog.addEventListener("click", end);
    dialog.addEventListener("close", end);
  });
}

async function keepOne() {
  const rows = [...members.values()].flatMap((group) => group.slice(1)).filter((row) => flagOf(row) !== "pick" && flagOf(row) !== "reject" && own(row) === undefined);
  if (!rows.length) return toast("Every photo behind the best ones is picked, rejected or rated already.");
  const text = `Flag ${counted(rows.length, "photo")} behind the best of each burst as rejected? Photos that you picked or rated keep what they have. No file is touched, and one undo takes it back.`;
  if (await sure(text)) await flag(rows, "reject").then(() => arrange(), () => {});
}

// ---- people ----

async function takeUsers() {
  const { users } = await ask("/api/users");
  const names = [...new Set([user, ...users])];
  const choice = (name) => element("option", { value: name, textContent: name });
  $("#user").replaceChildren(...names.map(choice), element("option", { value: "", textContent: "somebody else…" }));
  $("#user").value = user;
  const other = filters.elements.other;
  const before = other.value;
  other.replaceChildren(...names.filter((name) => name !== user).map(choice));
  if (before && before !== user) other.value = before;
}

async function become(name) {
  await checked(await fetch(`/api/said?${new URLSearchParams({ user: name })}`)); // or nobody can be called so
  user = name;
  Object.assign(known, { said: 0, scored: 0, stars: 0 });
  said = { ...said, own: {}, flags: {} };
  await takeUsers();
  await take({ ...known, said: -1, scored: -1, stars: -1 });
}

// ---- what a person does ----

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -2, ArrowDown: 2 };

function onKey(event) {
  const writing = event.target.matches?.("input:not([type=checkbox]):not([type=range]), select, textarea");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y") && !writing) {
    event.preventDefault();
    return key === "y" || event.shiftKey ? redo() : undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || writing) return undefined;
  const open = $$("dialog[open]").at(-1);
  if (key === "?" && (!open || open === loupe.dialog || open === duel.dialog)) return $("#keys").showModal();
  const did = open === loupe.dialog ? inLoupe(key, event) : open === duel.dialog ? inDuel(key) : open ? false : onWall(key, event);
  if (did) event.preventDefault();
  return undefined;
}

function inLoupe(key, event) {
  const onControl = event.target.matches("button, input");
  if (key >= "1" && key <= "5") loupe.rate(Number(key));
  else if (key === "0") loupe.rate(null);
  else if (key === "p" || key === "x" || key === "u") loupe.flag({ p: "pick", x: "reject", u: null }[key]);
  else if (key === "ArrowRight" || (key === " " && !onControl)) loupe.step(1);
  else if (key === "ArrowLeft") loupe.step(-1);
  else if (key === "z") loupe.zoom();
  else if (key === "w") $("[data-do=why]", loupe.dialog).click();
  else if (key === "c" && loupe.isAsking) {
    loupe.dialog.close();
    duel.open();
  } else return false;
  return true;
}

function inDuel(key) {
  const outcome = { ArrowLeft: "a", ArrowRight: "b", ArrowDown: "equal", "=": "equal" }[key];
  if (outcome) duel.say(outcome);
  else if (key === "s") duel.skip();
  else return false;
  return true;
}

function onWall(key, event) {
  const row = event.target.closest?.(".tile")?.row;
  if (key in STEPS) walk(STEPS[key]);
  else if (key === " " && !event.target.matches("button, input")) order.length && loupe.open(order, current < 0 ? order[0] : current);
  else if (key === "t") loupe.teach();
  else if (key === "c") duel.open();
  else if (row === undefined) return false;
  else if (key >= "0" && key <= "5") rate(row, Number(key) || null).catch(() => {});
  else if (key === "p" || key === "x" || key === "u") flag([row], { p: "pick", x: "reject", u: null }[key]).catch(() => {});
  else if (key === "b" && bursts[row] >= 0) unfold(row);
  else return false;
  return true;
}

function drag(stage) {
  let from = null;
  stage.addEventListener("pointerdown", (event) => (from = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop }));
  stage.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons || !stage.classList.contains("zoomed")) return;
    stage.scrollTo(from.left + from.x - event.clientX, from.top + from.y - event.clientY);
  });
  stage.addEventListener("pointerup", (event) => {
    const [x, y] = from ? [event.clientX - from.x, event.clientY - from.y] : [0, 0];
    from = null;
    if (stage.classList.contains("zoomed")) return;
    if (Math.abs(x) > 60 && Math.abs(y) < 60) loupe.step(x < 0 ? 1 : -1);
  });
  stage.addEventListener("dblclick", () => loupe.zoom());
}

function listen() {
  document.addEventListener("keydown", onKey);
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => lay()).observe(scroller);
  filters.addEventListener("input", (event) => {
    $("#second").hidden = value("sort") !== "differs";
    if (event.target.name === "size") lay();
    else arrange();
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  $("#user").addEventListener("change", (event) => (event.target.value ? become(event.target.value).catch(fail) : $("#newcomer").showModal()));
  $("#newcomer").addEventListener("click", ({ target }) => {
    const name = $("#newcomer-name").value.trim();
    if (target.dataset.do === "add" && name) become(name).catch(fail);
    if (target.dataset.do) $("#newcomer").close();
  });
  $("#newcomer").addEventListener("close", () => ($("#user").value = user));
  $("#newcomer form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("#newcomer [data-do=add]").click();
  });
  const clicks = { teach: () => loupe.teach(), pairs: () => duel.open(), save: () => $("#saving").showModal(), undo, redo, help: () => $("#keys").showModal() };
  for (const [id, does] of Object.entries(clicks)) $(`#${id}`).addEventListener("click", does);
  $("#saving").addEventListener("click", ({ target }) => saving[target.dataset?.do]?.());
  $("#keys").addEventListener("click", ({ target }) => target.dataset?.do && $("#keys").close());
  $("#keepone button").addEventListener("click", keepOne);
  $("#found .main").addEventListener("click", () => answer("/api/stars", {}).then(() => takeStars(), () => {}));
  $("#found .plain").addEventListener("click", () => ($("#found").hidden = true) && ($("#found").dataset.later = user));
  const inside = { back: () => loupe.step(-1), on: () => loupe.step(1), zoom: () => loupe.zoom(), close: () => loupe.dialog.close(), why: toggleWhy };
  loupe.dialog.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.dataset.flag) loupe.flag(button.ariaPressed === "true" ? null : button.dataset.flag);
    else inside[button?.dataset.do]?.();
  });
  loupe.dialog.addEventListener("close", () => arrange().then(() => loupe.isAsking || focusOn(loupe.row)));
  duel.dialog.addEventListener("click", ({ target }) => {
    const which = target.closest("footer button, .close")?.dataset.do;
    if (which === "close") duel.dialog.close();
    else if (which === "skip") duel.skip();
    else if (which) duel.say(which);
  });
  for (let n = 1; n <= 5; n++) {
    const button = element("button", { type: "button", textContent: "☆", title: `${counted(n, "star")} (${n})`, ariaLabel: counted(n, "star") });
    button.addEventListener("click", () => loupe.rate(own(loupe.row) === n ? null : n));
    $(".stars", loupe.dialog).append(button);
  }
  drag($(".stage", loupe.dialog));
}

function toggleWhy() {
  const panel = $("#why");
  panel.hidden = !panel.hidden;
  $("[data-do=why]", loupe.dialog).ariaPressed = String(!panel.hidden);
  if (!panel.hidden) showWhy(loupe.row);
}

async function begin() {
  history.replaceState(null, "", "/"); // the token is in the cookie by now
  Object.assign(album, await ask("/api/album"));
  album.n = album.names.length;
  for (const name of ["taken", "crowd"]) facts[name] = new Float64Array(album.n).fill(NaN);
  facts.width = new Float64Array(album.n).fill(3);
  facts.height = new Float64Array(album.n).fill(2);
  facts.picture = new Uint8Array(album.n);
  for (const name of ["version", "error"]) facts[name] = Array(album.n).fill("");
  scores = new Float32Array(album.n).fill(NaN);
  listen();
  await takeUsers();
  await arrange();
  follow();
}

begin().catch(lost);
