// The page of a proxy's Qwen accounts. All state is the server's: this shows it and asks again.
"use strict";

const KEY = "litellm-qwen-ai-key";
const POLL = 2000; // milliseconds between two looks while a login waits
const LOOK = 10000; // the same while none does
const PATIENCE = 15; // seconds that the proxy has for what it knows itself
const LONG_PATIENCE = 45; // for what it asks Qwen: 30 s for a login's server and 10 s for the chat's
const MANY = 8; // accounts from which on there is a filter
const FEW = 2; // accounts up to which all stand open
const NAME = /^[A-Za-z0-9]([A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*$/; // as the server has it
const DEFAULT = "Default account";
const STATES = {
  waiting: "Waiting",
  ended: "Login ended",
  unusable: "Cannot be used",
  signed_out: "Not signed in",
  signed_in: "Signed in",
  key: "Has a key",
};
const WELL = ["signed_in", "key"];
const COUNTED = { signed_in: "signed in", key: "with a key", ended: "ended", unusable: "cannot be used", waiting: "waiting", signed_out: "not signed in" };
const MARKS = ["quota spent", "throttled", "check refused"];
const HOUR = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const ENDS = { denied: "Denied", expired: "Expired", refused: "Refused by the server" };

const $ = (id) => document.getElementById(id);
const SVG = $("card").content.querySelector("svg").namespaceURI;
const cards = new Map(); // account's name, "" for the default one -> its card
let key = stored();
let mayChange = false;
let plans = []; // what keys are issued for
let timer = 0;
let looking = 0; // the look that counts: an older one says nothing any more
let taken = null; // when the list of accounts was last answered, as a Date

// The tab's storage may be switched off; then the key lives as long as the page.
function stored(value) {
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else if (value !== undefined) sessionStorage.setItem(KEY, value);
    return sessionStorage.getItem(KEY);
  } catch {
    return value || null;
  }
}

// Asking the proxy

async function ask(path, { method = "GET", body, patience = PATIENCE } = {}) {
  const options = { method, headers: {}, cache: "no-store", credentials: "omit" };
  if (key) options.headers.Authorization = `Bearer ${key}`;
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const [answer, value] = await within(patience, options, path);
  if (answer.ok) return value;
  const said = typeof value.detail === "string" ? value.detail : value.error && value.error.message;
  const refused = new Error(said || `The proxy answered with status ${answer.status}; its log says why.`);
  throw Object.assign(refused, { status: answer.status }); // without a status nobody answered
}

async function within(patience, options, path) {
  const limit = new AbortController();
  const alarm = setTimeout(() => limit.abort(), patience * 1000);
  // Relative to the page's own address, so that a proxy below a path works too.
  const base = location.pathname.replace(/\/$/, "");
  try {
    const answer = await fetch(`${base}/api/${path}`, { ...options, signal: limit.signal });
    const text = await answer.text();
    return [answer, parsed(text)];
  } catch {
    throw new Error(limit.signal.aborted ? `The proxy has not answered within ${patience} s.` : "The proxy cannot be reached.");
  } finally {
    clearTimeout(alarm);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) || {};
  } catch {
    return {};
  }
}

const shut = (error) => [401, 403].includes(error.status);

// LiteLLM refuses the key of a user with words about routes and roles, and a wrong one, without a database, with 400.
function whyShut(error, anyMore = "") {
  if (/only proxy admin|your role/i.test(error.message)) return "This key is valid, but not a proxy admin's.";
  if (/not allowed to call this route/i.test(error.message)) return "This key is valid, but its allowed_routes leave this page out.";
  if (error.status === 403 || !error.status || error.status >= 500) return error.message;
  return `This key is not accepted${anyMore}.`;
}

// Whether an answer was about the key, which then has to be entered again. A 400 may be about what was asked: the list tells.
async function isOut(error) {
  const about = error.status === 400 ? await ask("accounts").then(() => null, (again) => again) : error;
  if (!about || (!shut(about) && about.status !== 400)) return false;
  outside(whyShut(about, " any more"));
  return true;
}

// Small parts

function show(element, text) {
  element.hidden = !text;
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

function say(text) {
  $("said").textContent = text;
}

// In view wherever one has scrolled: what stands below is as old as it says.
function trouble(error) {
  const of = taken ? ` What you see is of ${time(taken)}.` : "";
  show($("trouble"), error ? `${error.message}${of}${error.status ? "" : " Trying again…"}` : "");
  document.body.classList.toggle("stale", Boolean(error));
}

// What is wrong with what stands in a field.
function fault(field, text) {
  show($(`${field}-fault`), text);
  $(field).setAttribute("aria-invalid", String(Boolean(text)));
  if (text) $(field).focus();
}

// Whatever runs meanwhile, no button of that part starts anything; and what has the focus keeps it.
async function busy(part, what) {
  if (part.ariaBusy === "true") return null;
  part.ariaBusy = "true";
  try {
    return await what();
  } finally {
    part.ariaBusy = "false";
  }
}

// A button of an account, whose name tells it from those of the others.
function label(button, text, name) {
  if (button.dataset.text === text) return;
  button.dataset.text = button.textContent = text;
  button.setAttribute("aria-label", `${text}: ${name}`);
}

function span(seconds) {
  const left = Math.max(0, Math.round(seconds));
  if (left < 60) return `${left} s`;
  const minutes = Math.round(left / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}` : `${Math.floor(hours / 24)} days`;
}

function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

function when(iso) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}

function time(date) {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(date);
}

function element(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
}

// Signing in to the page

// A proxy without a master key lets nobody in, so it asks nobody for a key.
async function begin() {
  try {
    const { closed } = await ask("door");
    trouble(null);
    if (closed) return outside("", closed);
  } catch (error) {
    trouble(error);
    timer = setTimeout(begin, LOOK);
    return;
  }
  if (key) await look();
  else outside("");
}

function outside(text, closed) {
  clearTimeout(timer);
  looking += 1;
  key = stored(null);
  taken = null;
  cards.clear();
  $("accounts").replaceChildren();
  for (const id of ["inside", "leave", "loading"]) $(id).hidden = true;
  trouble(null);
  show($("closed"), closed);
  $("door").hidden = Boolean(closed);
  if (closed) return;
  fault("key", text);
  $("key").value = "";
  $("key").focus();
}

async function enter(event) {
  event.preventDefault();
  key = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) return outside("This is no key: it is empty, or has characters that no key has.");
  try {
    const found = await busy($("door"), () => ask("accounts"));
    if (!found) return;
    stored(key);
    take(found);
    $("key").value = "";
    $("main").focus({ preventScroll: true });
    say("You are in.");
    next();
  } catch (error) {
    if (shut(error) || error.status === 400) return outside(whyShut(error));
    key = null;
    fault("key", error.message); // what was typed may be good
  }
}

// All accounts

function take(found) {
  taken = new Date();
  mayChange = found.may_change;
  plans = found.plans;
  $("loading").hidden = $("door").hidden = true;
  $("inside").hidden = $("leave").hidden = false;
  $("key-in-use").hidden = !found.api_key_set;
  $("viewer").hidden = mayChange;
  $("add").hidden = !mayChange;
  const names = new Set(found.accounts.map((one) => one.account || ""));
  for (const name of [...cards.keys()]) if (!names.has(name) && !cards.get(name).draft) drop(name);
  found.accounts.forEach(update);
  arrange();
}

function drop(name) {
  cards.get(name).section.remove();
  cards.delete(name);
}

const pending = () => [...cards.values()].filter(({ state }) => state === "waiting");

// What needs a person comes first. Nothing moves while somebody is at it.
function arrange() {
  const few = cards.size <= FEW;
  for (const it of cards.values()) unfold(it, it.open ?? few);
  const there = [...$("accounts").children];
  const atWork = pending().length || $("accounts").contains(document.activeElement);
  const wanted = [...cards.values()].sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1)).map((it) => it.section);
  if (there.length < wanted.length || (!atWork && wanted.some((section, at) => section !== there[at]))) {
    const focused = document.activeElement;
    $("accounts").append(...wanted);
    if (focused !== document.activeElement) focused.focus({ preventScroll: true });
  }
  summarise();
  filter();
}

function summarise() {
  const states = [...cards.values()].map((it) => it.state);
  const marked = [...cards.values()].flatMap(marks);
  const counts = [
    ...Object.entries(COUNTED).map(([state, word]) => [states.filter((one) => one === state).length, word]),
    ...MARKS.map((mark) => [marked.filter((one) => one === mark).length, mark]),
  ];
  show($("summary"), cards.size > 1 ? counts.filter(([count]) => count).map(([count, word]) => `${count} ${word}`).join(", ") : "");
  $("counted").hidden = [...cards.values()].every((it) => it.part(".usage").hidden);
}

// What is wrong although its state is well.
const marks = (it) => [it.limited, it.refused ? "check refused" : ""].filter(Boolean);

// Whatever was looked for: what has just been added is in view.
function unfilter() {
  $("filter").value = "";
  filter();
}

function filter() {
  $("search").hidden = cards.size < MANY;
  const wanted = $("search").hidden ? "" : $("filter").value.trim().toLowerCase();
  for (const it of cards.values()) {
    it.section.hidden = ![it.name || DEFAULT, STATES[it.state], ...marks(it)].join(" ").toLowerCase().includes(wanted);
  }
  $("none").hidden = [...cards.values()].some((it) => !it.section.hidden);
}

// One account

function card(account) {
  const name = account || "";
  if (cards.has(name)) return cards.get(name);
  const section = $("card").content.firstElementChild.cloneNode(true);
  const part = (selector) => section.querySelector(selector);
  const it = { section, part, account, name, title: account || DEFAULT, state: null, rank: 0, open: null, until: 0, total: 1 };
  const toggle = part(".toggle");
  toggle.textContent = it.title;
  toggle.id = `account-${name || "="}`; // no name has this sign
  part(".body").id = `${toggle.id}-body`;
  toggle.setAttribute("aria-controls", part(".body").id);
  section.setAttribute("aria-labelledby", toggle.id);
  part(".open .unseen").textContent = `: ${it.title} (in a new tab)`;
  label(part(".copy"), "Copy the address", it.title);
  label(part(".check"), "Check", it.title);
  label(part(".use"), "Use the key", it.title);
  label(part(".no-key"), "Not now", it.title);
  toggle.addEventListener("click", () => unfold(it, (it.open = part(".body").hidden)));
  part(".start").addEventListener("click", () => start(it));
  part(".check").addEventListener("click", () => check(it));
  part(".cancel").addEventListener("click", () => act(it, "Cancelling…", "cancel"));
  part(".out").addEventListener("click", () => leave(it));
  part(".copy").addEventListener("click", () => copy(it));
  part(".with-key").addEventListener("click", () => askForKey(it));
  part(".no-key").addEventListener("click", () => putKeyAside(it));
  part(".plan").addEventListener("change", () => showPlan(it));
  part(".keyform").addEventListener("submit", (event) => useKey(it, event));
  cards.set(name, it);
  return it;
}

function unfold(it, open) {
  it.part(".body").hidden = !open;
  show(it.part(".hint"), open ? "" : it.hint); // what is open says it itself
  it.part(".toggle").setAttribute("aria-expanded", String(open));
  it.section.classList.toggle("open", open);
}

function update(one) {
  const it = card(one.account);
  it.draft = Boolean(one.draft);
  const { part } = it;
  const focused = it.section.contains(document.activeElement) && document.activeElement;
  const waiting = one.login && one.login.state === "waiting";
  const ended = waiting ? null : one.login; // how the last login ended
  const state = waiting ? "waiting" : one.state;
  it.stays = one.stays;
  it.byHand = Boolean(one.left_alone);
  if (it.plan !== one.plan || it.since !== one.last_refresh) it.refused = false; // that was another token
  it.plan = one.plan;
  it.since = one.last_refresh;
  it.limited = one.usage.limited ? (one.usage.limited_reason === "throttled" ? "throttled" : "quota spent") : "";
  it.place = one.file;
  it.rank = rank(state, ended, one.usage.limited);
  it.section.classList.remove(...Object.keys(STATES));
  it.section.classList.add(state);
  show(part(".pill"), STATES[state]);
  show(part(".limit"), limit(one.usage));
  const wrong = ended ? `${ENDS[ended.state] || "The login ended"}: ${ended.message || "start again for a new code."}` : urgent(one);
  show(part(".error"), wrong);
  show(part(".by-hand"), one.left_alone);
  it.hint = waiting ? "" : withoutPlace(wrong, one.file) || limit(one.usage) || keyFor(one) || token(one);
  const typing = !part(".keyform").hidden; // a login that another admin starts meanwhile is told, and takes no place
  showLogin(it, waiting && one.login.user_code && !typing ? one.login : null);
  part(".elsewhere").hidden = !waiting || (mayChange && !typing);
  showFacts(it, one);
  showUsage(it, one.hours);
  showButtons(it, state, ended);
  announce(it, state, ended);
  tick();
  // What was focused has gone: stay where the reader was.
  if (focused && !focused.getClientRects().length) it.part("h2").focus({ preventScroll: true });
}

// In a row, which is cut off, what is wrong comes first: where it lies is said when the row is opened.
function withoutPlace(text, place) {
  return place && text.startsWith(place) ? text.slice(place.length).replace(/^:? /, "") : text;
}

function rank(state, ended, limited) {
  if (WELL.includes(state)) return ended ? 2 : limited ? 4 : 5;
  return { waiting: 0, ended: 1, unusable: 1, signed_out: ended ? 2 : 3 }[state];
}

// What went wrong, while it stands in the way: afterwards it is a fact among others.
const urgent = (one) => (one.last_error && !WELL.includes(one.state) ? one.last_error.text : "");

function showFacts(it, one) {
  const { usage, last_error: error } = one;
  const today = usage.requests_today || usage.requests_today_utc;
  const facts = [
    ["Key for", keyFor(one), "key-for"],
    ["Token", token(one), "token"],
    [one.plan ? "Kept since" : one.renewed ? "Last renewed" : "Signed in", one.last_refresh && when(one.last_refresh)],
    ["Requests, last minute", today && String(usage.requests_last_minute), "minute"],
    ["Requests today", today && `${usage.requests_today} (Beijing's day), ${usage.requests_today_utc} (UTC)`, "today"],
    [error && error.at ? `Last error, ${when(error.at)}` : "Last error", error && !urgent(one) && error.text, "past"],
  ].filter(([, text]) => text);
  if (it.facts === String(facts)) return; // what somebody has marked to copy stays marked
  it.facts = String(facts);
  it.part(".facts").hidden = !facts.length;
  it.part(".facts").replaceChildren(
    ...facts.map(([term, text, kind]) => {
      const pair = element("div", "", ["past", "key-for"].includes(kind) ? "wide" : "");
      pair.append(element("dt", term), element("dd", text, kind));
      return pair;
    }),
  );
}

function showButtons(it, state, ended) {
  const { part } = it;
  const waiting = state === "waiting";
  const inside = WELL.includes(state);
  const again = it.plan ? "Sign in instead" : inside || state === "ended" ? "Sign in again" : "Sign in";
  label(part(".start"), waiting ? "New code" : ended ? "Try again" : again, it.title);
  label(part(".cancel"), waiting ? "Cancel" : "Dismiss", it.title);
  label(part(".with-key"), it.plan ? "Replace the key" : "Use a key", it.title);
  part(".with-key").hidden = waiting || Boolean(ended);
  label(part(".out"), it.stays ? (it.plan ? "Remove the key" : "Sign out") : "Remove", it.title);
  part(".start").classList.toggle("main", !waiting && !inside);
  // One button for one refusal: try again, or, if a login is there all the same, put it aside.
  part(".start").hidden = Boolean(ended && inside);
  part(".cancel").hidden = !waiting && !(ended && inside);
  part(".check").hidden = !inside || Boolean(ended);
  part(".out").hidden = waiting || it.byHand || Boolean(ended && inside) || (it.stays && state === "signed_out");
  part(".acts").hidden = !mayChange || !part(".keyform").hidden;
}

function announce(it, state, ended) {
  const said = ended ? ended.state : state;
  it.state = state;
  if (it.said === said) return;
  const first = it.said === undefined;
  it.said = said;
  if (state === "waiting") it.open = true;
  if (first) return;
  show(it.part(".checked"), "");
  say(`${it.title}: ${ended ? ENDS[ended.state] || "the login ended" : STATES[state]}.`);
}

function showLogin(it, login) {
  const { part } = it;
  part(".login").hidden = !login;
  if (!login) return;
  part(".code").textContent = login.user_code;
  part(".address").textContent = login.link || "The server gave an address that is not safe to open.";
  part(".open").hidden = part(".copy").hidden = !login.link;
  if (login.link && part(".open").href !== login.link) part(".open").href = login.link;
  part(".qr").hidden = !login.qr;
  part(".no-qr").hidden = Boolean(login.qr) || !login.link;
  const image = part(".qr img");
  if (login.qr && image.getAttribute("src") !== login.qr) image.src = login.qr;
  show(part(".last"), login.message);
  it.until = performance.now() / 1000 + login.seconds_left;
  it.total = Math.max(1, login.lifetime);
}

function tick() {
  for (const { part, until, total } of pending()) {
    const left = until - performance.now() / 1000;
    part("progress").value = Math.min(1, Math.max(0, left / total));
    part(".time").textContent = left > 0 ? `${clock(left)} left` : "time is up";
  }
}

function token(one) {
  if (!one.expires_at) return "";
  if (one.state === "ended") return "not accepted any more";
  if (one.seconds_left > 0) return `valid for ${span(one.seconds_left)}${one.can_renew ? ", then renewed" : ""}`;
  return one.can_renew ? "expired, renewed with the next request" : "expired";
}

function keyFor(one) {
  if (!one.plan) return "";
  const plan = plans.find(({ name }) => name === one.plan);
  return plan && plan.host === one.host ? `${plan.title} (${plan.host})` : one.host || one.plan;
}

function limit(usage) {
  if (!usage.limited) return "";
  const what = usage.limited_reason === "throttled" ? "Too many requests" : "The quota is spent";
  const said = usage.limited_until_source === "server" ? "the server says until" : "the server does not say until when, probably";
  return `${what}: ${said} ${when(usage.limited_until)}.`;
}

// Usage: a bar for each hour, its refused part on top, and the same as a table

function showUsage(it, hours) {
  const drawn = JSON.stringify(hours);
  if (it.drawn === drawn) return;
  it.drawn = drawn;
  const { part } = it;
  const sum = (what) => hours.reduce((total, hour) => total + hour[what], 0);
  const [sent, refused, most] = [sum("requests"), sum("refused"), Math.max(1, ...hours.map((hour) => hour.requests))];
  part(".usage").hidden = !sent;
  part(".usage figcaption").textContent = `Requests in the last 24 hours: ${sent}${refused ? `, ${refused} of them refused` : ""}`;
  part(".most").textContent = `most: ${most} an hour`;
  part(".usage svg").replaceChildren(...hours.flatMap((hour, at) => bar(hour, at, most)));
  const busyHours = hours.filter((hour) => hour.requests || hour.refused);
  part(".usage tbody").replaceChildren(...busyHours.map(tableRow));
}

function bar({ requests, refused }, at, most) {
  const height = requests && Math.max(2, (requests / most) * 60);
  const red = Math.min(height, refused && Math.max(2, (refused / most) * 60));
  return [rectangle("ground", at, 60, 1), rectangle("sent", at, 60, height), rectangle("refused", at, 60 - height + red, red)].filter(Boolean);
}

function rectangle(kind, at, bottom, height) {
  if (!height) return null;
  const made = document.createElementNS(SVG, "rect");
  const sizes = { class: kind, x: at * 10 + 1, width: 8, y: bottom - height, height };
  for (const [name, value] of Object.entries(sizes)) made.setAttribute(name, value);
  return made;
}

function tableRow({ start, requests, refused }) {
  const row = element("tr", "");
  const from = element("th", new Intl.DateTimeFormat(undefined, HOUR).format(new Date(start)));
  from.scope = "row";
  row.append(from, element("td", String(requests)), element("td", String(refused)));
  return row;
}

// What a person does

async function act(it, doing, path, { method = "POST", more = {}, patience = PATIENCE } = {}) {
  if (it.section.ariaBusy === "true") return null;
  const query = it.account === null ? "" : `?account=${encodeURIComponent(it.account)}`;
  const request = method === "POST" ? { body: { account: it.account, ...more } } : {};
  show(it.part(".doing"), doing);
  show(it.part(".fault"), "");
  say(`${it.title}: ${doing}`);
  try {
    const one = await busy(it.section, () => ask(method === "POST" ? path : path + query, { method, patience, ...request }));
    if (one) changed(one);
    return one;
  } catch (error) {
    if (!(await isOut(error))) show(it.part(".fault"), error.message);
    return null;
  } finally {
    show(it.part(".doing"), "");
  }
}

function changed(one) {
  update(one);
  arrange();
  looking += 1; // a look that began before would bring back what was
  next();
}

async function start(it) {
  const more = { anew: it.state === "waiting" };
  if (await act(it, "Asking for a code…", "login", { more, patience: LONG_PATIENCE })) readCode(it);
}

// The code has the focus, and as much of the account is in view as fits, its title first.
function readCode(it) {
  it.part(".code").focus({ preventScroll: true });
  const box = it.section.getBoundingClientRect();
  scrollBy(0, box.top < 0 ? box.top - 16 : Math.max(0, Math.min(box.bottom - innerHeight + 16, box.top - 16)));
}

async function check(it) {
  const one = await act(it, "Asking the chat server for its list of models…", "check", { patience: LONG_PATIENCE });
  if (!one) return;
  const { result, message } = one.check;
  it.refused = result === "refused";
  arrange();
  const box = it.part(".checked");
  box.classList.toggle("good", result === "accepted");
  box.classList.toggle("bad", result === "refused");
  show(box, urgent(one) ? "" : `Checked at ${time(new Date())}: ${message}`);
  say(`${it.title}: ${message}`);
}

async function leave(it) {
  const word = it.part(".out").textContent;
  const copies = it.plan
    ? "The key stays good: who issued it can revoke it."
    : "Qwen offers no way to revoke a token: a copy elsewhere stays good until it expires.";
  $("sure-title").textContent = it.plan && it.stays ? `Remove the key of ${it.title}?` : `${word} ${it.title}?`;
  $("sure-text").textContent =
    `Its ${it.plan ? "key" : "login"} is removed from ${it.place}. Its calls fail until ${it.plan ? "it has a key or a login" : "somebody signs in"} again. ${copies}`;
  $("sure-yes").textContent = word;
  if ((await answered($("sure"))) !== "yes") return;
  const one = await act(it, it.stays ? "Signing out…" : "Removing…", it.stays ? "login" : "account", { method: "DELETE" });
  if (!one || it.stays) return;
  drop(it.name);
  arrange();
  say(`${it.title} was removed.`);
  $("main").focus({ preventScroll: true });
}

// A key goes to the proxy and never comes back.

function askForKey(it) {
  const known = plans.map(({ name, title }) => new Option(title, name));
  it.part(".plan").replaceChildren(...known, new Option("Another address", "custom"));
  it.part(".what").textContent =
    (it.state === "signed_in" ? "It takes the place of the login. " : "") +
    `It is kept in ${it.place || "the place of the logins"}, and never shown again.`;
  showPlan(it);
  it.part(".keyform").hidden = false;
  it.part(".acts").hidden = true;
  it.part(".plan").focus();
}

function showPlan(it) {
  const plan = plans.find(({ name }) => name === it.part(".plan").value);
  it.part(".own").hidden = Boolean(plan);
  show(it.part(".at"), plan && `${plan.title}: ${plan.host}`);
}

function isAddress(text) {
  const whole = text.includes("://") ? text : `https:${text}`; // as the server reads it
  return URL.canParse(whole) && ["http:", "https:"].includes(new URL(whole).protocol);
}

// What is wrong with a field of the form; without one, nothing is.
function keyFault(it, field, text) {
  for (const one of [".address-of-key", ".secret"]) it.part(one).setAttribute("aria-invalid", String(one === field && Boolean(text)));
  show(it.part(".fault"), text);
  if (field && text) it.part(field).focus();
}

function putKeyAside(it) {
  it.part(".keyform").reset();
  it.part(".keyform").hidden = true;
  it.part(".acts").hidden = false;
  keyFault(it);
  it.part(".toggle").focus();
  if (!it.draft) return next(true);
  drop(it.name);
  arrange();
  $("name").focus();
}

async function useKey(it, event) {
  event.preventDefault();
  const [plan, secret] = [it.part(".plan").value, it.part(".secret").value.trim()];
  const address = plan === "custom" ? it.part(".address-of-key").value.trim() : "";
  if (plan === "custom" && !isAddress(address)) return keyFault(it, ".address-of-key", "Enter the address that the key is for, such as api.example/v1.");
  if (!secret) return keyFault(it, ".secret", "Enter the key.");
  keyFault(it);
  const more = { key: secret, plan, address, check: !it.part(".unchecked").checked };
  const one = await act(it, "Asking the server whether it takes the key…", "key", { more, patience: LONG_PATIENCE });
  if (!one) return keyFault(it, plan === "custom" ? ".address-of-key" : ".secret", it.part(".fault").textContent);
  putKeyAside(it);
  if (one.account !== it.account) drop(it.name); // another name of the default account
  say(`${it.title}: the key is kept.`);
}

// An account that nobody has anything of yet: it is there when its key is.
function addKey() {
  const name = $("name").value.trim();
  fault("name", wrongName(name));
  if (wrongName(name)) return;
  if (!cards.has(name)) {
    update({ account: name, draft: true, state: "signed_out", stays: false, usage: {}, hours: [], login: null });
    arrange();
  }
  $("name").value = "";
  unfilter();
  unfold(card(name), (card(name).open = true));
  askForKey(card(name));
}

function answered(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

async function copy(it) {
  const button = it.part(".copy");
  try {
    await navigator.clipboard.writeText(it.part(".open").href);
    say("The address was copied.");
    label(button, "Copied", it.title);
    setTimeout(() => label(button, "Copy the address", it.title), 2000);
  } catch {
    // Without https a browser has no clipboard: mark the address instead.
    getSelection().selectAllChildren(it.part(".address"));
    say("The address is selected: copy it from there.");
  }
}

async function add(event) {
  event.preventDefault();
  const name = $("name").value.trim();
  fault("name", wrongName(name));
  if (wrongName(name)) return;
  try {
    const one = await busy($("add"), () => ask("login", { method: "POST", body: { account: name }, patience: LONG_PATIENCE }));
    if (!one) return;
    changed(one);
    unfilter();
    $("name").value = "";
    readCode(card(one.account));
  } catch (error) {
    if (!(await isOut(error))) fault("name", error.message);
  }
}

function wrongName(name) {
  if (!name) return "Give the account a name.";
  return NAME.test(name) ? "" : "A name has letters, digits, “.”, “_” and “-”, starts with a letter or digit, and has no “..” and no “.” at its end.";
}

// Looking again

function next(soon) {
  clearTimeout(timer);
  timer = setTimeout(look, soon ? 0 : pending().length ? POLL : LOOK);
}

async function look() {
  if (!key) return;
  const mine = (looking += 1);
  const asked = mayChange ? pending() : [];
  const late = setTimeout(() => mine === looking && trouble(new Error(`The proxy has not answered within ${PATIENCE} s.`)), PATIENCE * 1000);
  try {
    for (const one of await Promise.all(asked.map(({ account }) => ask("poll", { method: "POST", body: { account }, patience: LONG_PATIENCE })))) {
      if (mine === looking) update(one);
    }
    if (!asked.length || new Date() - taken > LOOK) {
      const found = await ask("accounts");
      if (mine === looking) take(found);
    } else if (mine === looking) {
      arrange();
    }
    if (mine === looking) trouble(null);
  } catch (error) {
    if (mine !== looking || (await isOut(error)) || mine !== looking) return;
    if (!document.hidden || error.status) trouble(error);
  } finally {
    clearTimeout(late);
  }
  if (mine === looking) next();
}

$("door").addEventListener("submit", enter);
$("add").addEventListener("submit", add);
$("add-key").addEventListener("click", addKey);
$("filter").addEventListener("input", filter);
$("leave").addEventListener("click", () => outside(""));
document.addEventListener("visibilitychange", () => key && taken && !document.hidden && next(true));
setInterval(tick, 1000);
begin();
