// Keeps a page up to date: when events say that something happened, it asks for the page again and
// replaces the parts marked data-live that differ. Without it the page is the same, but stands still.

import { explore } from './explore.js';

const pause = 2000; // between two updates, in milliseconds
const again = 15000; // after which one is made anyway, as time goes by

const contact = document.getElementById('contact');
let lost = null; // since when the daemon cannot be reached
let due = 0; // a timer
let last = 0;
let asking = false;
let ended = false;

function clock(date) { return date.toLocaleTimeString([], { hour12: false }); }

// say changes what is said of the contact; the same again would be read out again.
function say(text, state) {
	contact.className = state;
	if (contact.textContent !== text) contact.textContent = text;
}

function reached() {
	lost = null;
	say(ended ? 'complete' : 'live', '');
	document.body.classList.remove('lost-contact');
}

// The daemon may be well, and its runs go on if it is not: all that is known is that it does not answer.
function unreachable() {
	if (ended) return;
	lost ??= new Date();
	say(`the daemon is unreachable since ${clock(lost)}; trying again`, 'lost');
	document.body.classList.add('lost-contact');
}

for (const part of document.querySelectorAll('[data-live]')) part.kept = part.innerHTML;

// replace takes over what differs. What has the focus keeps it, details stay open, and what was
// chosen in a form stays chosen.
function replace(text) {
	const fresh = new DOMParser().parseFromString(text, 'text/html');
	for (const part of document.querySelectorAll('[data-live]')) {
		const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
		if (!other || other.innerHTML === part.kept) continue;
		const focus = part.contains(document.activeElement) ? document.activeElement.id : '';
		const open = [...part.querySelectorAll('details[open]')].map(d => d.id);
		const scrolled = [...part.querySelectorAll('.scroll')].map(s => [s.scrollLeft, s.scrollTop, s.scrollHeight - s.clientHeight - s.scrollTop < 4]);
		const chosen = [...part.querySelectorAll('select, input[type=checkbox]')].map(c => [c.name, c.value, c.checked]);
		part.kept = other.innerHTML;
		part.replaceChildren(...other.childNodes);
		for (const [name, value, checked] of chosen) {
			const control = part.querySelector(`[name="${name}"]`);
			if (control?.tagName === 'SELECT' && [...control.options].some(o => o.value === value)) control.value = value;
			else if (control) control.checked = checked;
		}
		for (const id of open) document.getElementById(id)?.setAttribute('open', '');
		part.querySelectorAll('.scroll').forEach((s, i) => {
			if (!scrolled[i]) return;
			s.scrollLeft = scrolled[i][0];
			s.scrollTop = scrolled[i][2] ? s.scrollHeight : scrolled[i][1];
		});
		if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
	}
}

async function update() {
	clearTimeout(due);
	due = 0;
	if (asking || document.hidden) return;
	asking = true;
	last = Date.now();
	try {
		const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, cache: 'no-store' });
		if (answer.ok) {
			replace(await answer.text());
			reached();
			dispatchEvent(new Event('updated'));
		} else if (answer.status >= 500) {
			unreachable();
		}
	} catch {
		unreachable();
	}
	asking = false;
	soon(again);
}

function soon(wait) {
	if (ended) return;
	clearTimeout(due);
	due = setTimeout(update, Math.max(wait, last + pause - Date.now()));
}

const kinds = document.body.dataset.kinds?.split(' ') ?? ['state', 'began', 'phase', 'pass', 'checkpoint', 'exported', 'swapped', 'evaluating', 'ended', 'failed'];

let events = null;
let seen = ''; // the last event, after which a stream goes on

// A hidden page needs no stream: browsers open but a few to the same host, for all their pages.
function listen() {
	events?.close();
	events = null;
	if (document.hidden || ended) return;
	const address = new URL(document.body.dataset.events, location.href);
	if (seen) address.searchParams.set('after', seen);
	const stream = events = new EventSource(address);
	let waits = false;
	const happened = event => {
		seen = event.lastEventId || seen;
		if (waits) return;
		waits = true;
		setTimeout(() => { waits = false; update(); }, Math.max(0, last + pause - Date.now()));
	};
	for (const kind of kinds) stream.addEventListener(kind, happened);
	stream.addEventListener('open', event => { if (lost) happened(event); else reached(); });
	stream.addEventListener('end', () => { stream.close(); update().then(() => { ended = true; clearTimeout(due); reached(); }); });
	stream.addEventListener('error', () => {
		unreachable();
		// A browser gives up on an answer that is no stream, such as that of a proxy.
		if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (stream === events) listen(); }, 5000);
	});
}

// A message about a change that is in the address would come again with the page.
if (location.search.includes('done=')) {
	const address = new URL(location.href);
	address.searchParams.delete('done');
	history.replaceState(null, '', address);
}
if (document.body.dataset.events) {
	listen();
	soon(again);
	document.addEventListener('visibilitychange', () => {
		listen();
		if (!document.hidden) update();
	});
}
for (const log of document.querySelectorAll('.log')) log.scrollTop = log.scrollHeight;

document.addEventListener('submit', event => {
	const form = event.target;
	if (!form.dataset.slow) return;
	const word = document.createElement('p');
	word.setAttribute('role', 'status');
	word.textContent = form.dataset.slow;
	form.append(word);
	// Only once it is on its way, with the button that was pressed.
	setTimeout(() => { for (const button of form.querySelectorAll('button')) button.disabled = true; });
});
addEventListener('pageshow', event => { // back to a page that was kept
	if (event.persisted) for (const button of document.querySelectorAll('button:disabled')) button.disabled = false;
});

document.addEventListener('click', event => {
	const link = event.target.closest('a.explore');
	if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
		event.preventDefault();
		explore(link);
	}
});
