// The page of a proxy's Qwen accounts. All state is the server's: this shows it and asks again.
"use strict";

const KEY = "litellm-qwen-ai-key";
const POLL = 2000; // milliseconds between two looks while a login waits
const LOOK = 10000; // the same while none does
const STATES = {
  signed_in: "Signed in",
  signed_out: "Not signed in",
  ended: "Login has ended",
  unusable: "Login cannot be used",
  waiting: "Waiting for approval",
};
const ENDS = { denied: "Denied", expired: "Expired", refused: "Refused by the server" };

const $ = (id) => document.getElementById(id);
const cards = new Map(); // account's name, "" for the default one -> its card
let key = stored();
let timer = 0;

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

async function ask(path, body) {
  // Relative to the page's own address, so that a proxy below a path works too.
  const base = location.pathname.replace(/\/$/, "");
  const options = { headers: { Authorization: `Bearer ${key}` }, cache: "no-store", credentials: "omit" };
  if (body) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(`${base}/api/${path}`, options);
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  const said = typeof value.detail === "string" ? value.detail : value.error && value.error.message;
  const refused = new Error(said || `The proxy answered with status ${answer.status}.`);
  throw Object.assign(refused, { status: answer.status }); // without a status nobody answered
}

const shut = (error) => [401, 403].includes(error.status);

function show(element, text) {
  element.hidden = !text;
  if (element.textContent !== (text || "")) element.textContent = text || "";
}

function say(text) {
  $("said").textContent = text;
}

function trouble(error) {
  const unreached = "The proxy cannot be reached. Trying again…";
  show($("trouble"), !error ? "" : error.status ? error.message : unreached);
}

// What is wrong with what stands in a field.
function fault(field, text) {
  show($(`${field}-fault`), text);
  $(field).setAttribute("aria-invalid", String(Boolean(text)));
  if (text) $(field).focus();
}

// Whatever runs meanwhile, no button of that part starts it again.
async function busy(within, what) {
  const buttons = within.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    return await what();
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

const pending = () => [...cards.values()].filter(({ part }) => !part(".login").hidden);

function span(seconds) {
  const left = Math.max(0, Math.round(seconds));
  if (left < 60) return `${left} s`;
  const minutes = Math.round(left / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

function when(iso) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}

// Signing in to the page

function outside(text) {
  clearTimeout(timer);
  key = stored(null);
  cards.clear();
  $("accounts").replaceChildren();
  for (const id of ["inside", "leave", "loading"]) $(id).hidden = true;
  trouble(null);
  $("door").hidden = false;
  fault("key", text);
  $("key").value = "";
  $("key").focus();
}

async function enter(event) {
  event.preventDefault();
  key = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) return outside("This is no key: it is empty, or has characters that no key has.");
  try {
    take(await busy($("door"), () => ask("accounts")));
    stored(key);
    $("key").value = "";
    $("main").focus();
    say("You are in.");
    next();
  } catch (error) {
    // LiteLLM without a database answers a wrong key with 400.
    outside(error.status === 403 ? error.message : error.status ? "This key is not accepted." : "The proxy cannot be reached.");
  }
}

// The accounts

function take(found) {
  $("loading").hidden = $("door").hidden = true;
  $("inside").hidden = $("leave").hidden = false;
  $("key-in-use").hidden = !found.api_key_set;
  const names = new Set(found.accounts.map((one) => one.account || ""));
  for (const [name, card] of cards) {
    if (!names.has(name)) {
      card.section.remove();
      cards.delete(name);
    }
  }
  found.accounts.forEach(update);
}

function card(account) {
  const name = account || "";
  let found = cards.get(name);
  if (found) return found;
  const section = $("card").content.firstElementChild.cloneNode(true);
  const part = (selector) => section.querySelector(selector);
  found = { section, part, account, state: null, until: 0, total: 1 };
  const title = part("h2");
  title.id = `account-${cards.size}`;
  title.textContent = account || "Default account";
  section.setAttribute("aria-labelledby", title.id);
  section.dataset.account = name;
  part(".start").addEventListener("click", () => start(found));
  part(".cancel").addEventListener("click", () => act(found, "cancel"));
  part(".copy").addEventListener("click", () => copy(found));
  cards.set(name, found);
  // In the server's order: the default account first, then by name.
  const after = [...$("accounts").children].find((other) => other.dataset.account > name);
  $("accounts").insertBefore(section, after || null);
  return found;
}

function update(one) {
  const it = card(one.account);
  const { section, part } = it;
  const waiting = one.login && one.login.state === "waiting";
  const state = waiting ? "waiting" : one.state;
  section.className = `card account ${state}`;
  show(part(".pill"), STATES[state]);
  showError(part, one);
  show(part(".limit"), limit(one.usage));
  part(".token").textContent = token(one);
  part(".renewed").textContent = one.last_refresh ? when(one.last_refresh) : "–";
  part(".minute").textContent = one.usage.requests_last_minute;
  part(".today").textContent = `${one.usage.requests_today} (Beijing's day), ${one.usage.requests_today_utc} (UTC)`;
  showLogin(it, waiting ? one.login : null);
  const ended = one.login && !waiting;
  show(part(".ended"), ended ? `${ENDS[one.login.state] || "The login ended"}: ${one.login.message || "start again for a new code."}` : "");
  part(".start").textContent = waiting ? "New code" : one.state === "signed_in" ? "Sign in again" : ended ? "Try again" : "Sign in";
  part(".start").classList.toggle("main", !waiting && one.state !== "signed_in");
  part(".cancel").hidden = !one.login;
  part(".cancel").textContent = waiting ? "Cancel" : "Dismiss";
  announce(it, state, ended ? one.login : null);
}

// In red while it stands in the way; a line among the facts afterwards.
function showError(part, one) {
  const error = one.last_error;
  const urgent = error && one.state !== "signed_in";
  show(part(".error"), urgent ? error.text : "");
  part(".past").hidden = !error || urgent;
  part(".past dt").textContent = error && error.at ? `Last error, ${when(error.at)}` : "";
  part(".past dd").textContent = error ? error.text : "";
}

function announce(it, state, ended) {
  const now = ended ? ended.state : state;
  if (it.state !== null && it.state !== now) {
    const name = it.account || "Default account";
    say(`${name}: ${ended ? ENDS[ended.state] || "the login ended" : STATES[state]}.`);
    // What was focused has gone with the login: stay where the reader was.
    if (document.activeElement === document.body && it.state === "waiting") it.part("h2").focus();
  }
  it.state = now;
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
  tick();
}

function tick() {
  for (const { part, until, total } of pending()) {
    const left = until - performance.now() / 1000;
    part("progress").value = Math.min(1, Math.max(0, left / total));
    part(".time").textContent = left > 0 ? `${clock(left)} left` : "time is up";
  }
}

function token(one) {
  if (!one.expires_at) return "–";
  if (one.state === "ended") return "not accepted any more";
  if (one.seconds_left > 0) return `valid for ${span(one.seconds_left)}${one.can_renew ? ", then renewed" : ""}`;
  return one.can_renew ? "expired, renewed with the next request" : "expired";
}

function limit(usage) {
  if (!usage.limited) return "";
  const what = usage.limited_reason === "throttled" ? "Too many requests" : "The quota is spent";
  const said = usage.limited_until_source === "server" ? "the server says until" : "the server does not say until when, probably";
  return `${what}: ${said} ${when(usage.limited_until)}.`;
}

// What a person does

async function act(it, what, more) {
  try {
    update(await busy(it.section, () => ask(what, { account: it.account, ...more })));
    trouble(null);
    return true;
  } catch (error) {
    if (shut(error)) outside(error.message);
    else trouble(error);
    return false;
  }
}

async function start(it) {
  const waits = !it.part(".login").hidden;
  if (!(await act(it, "login", { anew: waits }))) return;
  it.part(".code").focus();
  next();
}

async function copy(it) {
  const link = it.part(".open").href;
  try {
    await navigator.clipboard.writeText(link);
    say("The address was copied.");
    it.part(".copy").textContent = "Copied";
    setTimeout(() => (it.part(".copy").textContent = "Copy the address"), 2000);
  } catch {
    // Without https a browser has no clipboard: mark the address instead.
    getSelection().selectAllChildren(it.part(".address"));
    say("The address is selected: copy it from there.");
  }
}

async function add(event) {
  event.preventDefault();
  const name = $("name").value.trim();
  fault("name", name ? "" : "Give the account a name.");
  if (!name) return;
  try {
    const one = await busy($("add"), () => ask("login", { account: name }));
    update(one);
    $("name").value = "";
    card(one.account).part(".code").focus();
    next();
  } catch (error) {
    if (shut(error)) outside(error.message);
    else fault("name", error.status ? error.message : "The proxy cannot be reached.");
  }
}

// Looking again

function next(soon) {
  clearTimeout(timer);
  timer = setTimeout(look, soon ? 0 : pending().length ? POLL : LOOK);
}

async function look() {
  if (!key) return;
  const asked = pending().map(async ({ account }) => update(await ask("poll", { account })));
  try {
    if (asked.length) await Promise.all(asked);
    else take(await ask("accounts"));
    trouble(null);
  } catch (error) {
    if (shut(error)) return outside(error.message);
    if (error.status === 400 && !cards.size) return outside("This key is not accepted any more.");
    if (!document.hidden || error.status) trouble(error);
  }
  if (key) next();
}

$("door").addEventListener("submit", enter);
$("add").addEventListener("submit", add);
$("leave").addEventListener("click", () => outside(""));
document.addEventListener("visibilitychange", () => key && !document.hidden && next(true));
setInterval(tick, 1000);

if (key) {
  look().then(() => ($("loading").hidden = true));
} else {
  outside("");
}
