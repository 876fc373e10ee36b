// The page of `pairforge view` and `pairforge judge`. Texts of a data set become text nodes, nothing else.

const $ = (selector, root = document) => root.querySelector(selector);
const search = new URLSearchParams(location.search);
const token = search.get('token') || sessionStorage.getItem('pairforge:token') || '';
if (search.has('token')) {
	sessionStorage.setItem('pairforge:token', token);
	search.delete('token');
	history.replaceState(null, '', `${location.pathname}${search.size ? `?${search}` : ''}${location.hash}`);
}
let source;

// Whether the browser does this to what it keeps: it may refuse.
function kept(act) {
	try { act(); return true; } catch { return false; }
}

// ---- small parts

// A node: el('a.quiet', { href: '#/' }, 'Text', ...). A function is a listener; false and null are nothing.
function el(name, given, ...children) {
	const described = given?.constructor === Object;
	const [tag, ...classes] = name.split('.');
	const node = ['svg', 'polyline'].includes(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
	node.classList.add(...classes);
	for (const [key, value] of Object.entries(described ? given : {})) {
		if (typeof value === 'function') node.addEventListener(key, value);
		else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value === true ? '' : value);
	}
	node.append(...nodes(described ? children : [given, children]));
	return node;
}
const nodes = (children) => [children].flat(9).filter((child) => child || child === 0);

const button = (label, click, attributes = {}) => el('button', { type: 'button', click, ...attributes }, label);
const quiet = (label, click, title) => button(label, click, { class: 'quiet', title, 'aria-label': label.length === 1 && title });
const key = (name) => el('kbd', name);
const AUTO = { dir: 'auto' };
const count = (number) => Number(number || 0).toLocaleString('en-US');
const figure = (number) => typeof number === 'number' ? String(+number.toPrecision(3)) : '–';
const percent = (share) => typeof share === 'number' ? `${+(100 * share).toFixed(1)}\u00a0%` : '–';
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;
const words = (name) => String(name).replaceAll('_', ' ');
const facts = (entries) => el('dl.columns', entries.map(([name, value]) => el('div', el('dt', name), el('dd', AUTO, String(value)))));
const section = (title, ...children) => el('section.part', el('h3', title), ...children);

async function api(path, body, signal) {
	const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': 'application/json' }) };
	const request = { method: body ? 'POST' : 'GET', headers, signal, body: body && JSON.stringify(body), cache: 'no-store' };
	const response = await fetch(`/api/${path}`, request);
	const data = await response.json().catch(() => ({}));
	if (response.ok) return data;
	const said = [data.error || `the server answered ${response.status}`, data.fix].filter(Boolean).join(' → ');
	throw Object.assign(new Error(said), { status: response.status });
}

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
let toastTimer;
function tell(text, trouble = false) {
	const toast = $('#toast');
	toast.textContent = text;
	toast.className = trouble ? 'shown trouble' : 'shown';
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => { toast.className = ''; }, trouble ? 8000 : 2500);
}
const trouble = (error) => error.name !== 'AbortError' && tell(error.status ? error.message : 'The server does not answer.', true);

function dialog(title, content) {
	const box = $('#dialog');
	box.replaceChildren(el('h2', { id: 'dialog-title' }, title), ...nodes(content), button('Close', () => box.close(), { class: 'primary' }));
	box.showModal();
}
const keyHelp = (keys) => dialog('Keys', facts(keys.map(([name, what]) => [name && name.split(' ').map(key), what])));

// ---- text: plain, Markdown, differences

const plain = (text) => el('div.text', AUTO, String(text ?? ''));
const MOST_MARKDOWN = 200000;
const rendered = (text) => String(text).length > MOST_MARKDOWN ? plain(text)
	: el('div.text.markdown', AUTO, blocks(String(text).split(/\r?\n/), 0));

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const ITEM = /^( {0,12})(?:[-*+]|(\d{1,9})[.)])( +|$)/;
const STARTS = [FENCE, /^ {0,3}#{1,6} /, /^ {0,3}>/, /^ {0,3}(?:[-*_] *){3,}$/, ITEM];

// The blocks of Markdown lines as nodes. HTML in them is text.
function blocks(lines, depth) {
	const made = [];
	let at = 0;
	const take = (wanted) => {
		const from = at;
		while (at < lines.length && wanted(lines[at], at - from)) at += 1;
		return lines.slice(from, at);
	};
	while (at < lines.length) {
		const line = lines[at];
		const fence = FENCE.exec(line)?.[1];
		const item = ITEM.exec(line);
		if (!line.trim()) at += 1;
		else if (fence) {
			at += 1;
			const code = take((next) => !next.trimStart().startsWith(fence));
			at += 1;
			made.push(el('pre', { dir: 'ltr' }, el('code', code.join('\n'))));
		} else if (STARTS[1].test(line)) {
			made.push(el('p.heading', AUTO, inline(line.replace(/^ *#+ /, ''))));
			at += 1;
		} else if (STARTS[3].test(line)) {
			made.push(el('hr'));
			at += 1;
		} else if (STARTS[2].test(line) && depth < 6) {
			const quoted = take((next) => STARTS[2].test(next)).map((next) => next.replace(/^ *> ?/, ''));
			made.push(el('blockquote', blocks(quoted, depth + 1)));
		} else if (item && depth < 6) made.push(list(item));
		else if (line.includes('|') && /^[ |:-]*-[ |:-]*$/.test(lines[at + 1] ?? '') && lines[at + 1].includes('|')) made.push(table());
		else {
			const text = take((next, number) => !number || (next.trim() && !STARTS.some((start) => start.test(next))));
			made.push(el('p', AUTO, text.map((part, number) => [number ? el('br') : '', inline(part)])));
		}
	}
	return made;

	function list([, indent, number]) {
		const items = [];
		for (let next; at < lines.length; ) {
			next = ITEM.exec(lines[at]);
			if (!next || next[1].length !== indent.length || Boolean(next[2]) !== Boolean(number)) break;
			const first = lines[at].slice(next[0].length);
			at += 1;
			const inside = (one) => one.startsWith(`${indent}  `);
			const rest = take((one) => inside(one) || (!one.trim() && inside(lines[at + 1] ?? '')));
			while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? '')) at += 1;
			const body = blocks([first, ...rest.map((one) => one.slice(Math.min(next[0].length, one.search(/\S|$/))))], depth + 1);
			if (body[0]?.localName === 'p') body[0].removeAttribute('dir'); // its text is the one that turns the whole list
			items.push(el('li', body));
		}
		return el(number ? 'ol' : 'ul', { start: number, dir: 'auto' }, items);
	}

	function table() {
		const cells = (row, tag) => row.trim().replace(/^\||\|$/g, '').split('|').map((cell) => el(tag, AUTO, inline(cell.trim())));
		const rows = take((next) => next.includes('|'));
		return el('table', el('thead', el('tr', cells(rows[0], 'th'))),
			el('tbody', rows.slice(2).map((row) => el('tr', cells(row, 'td')))));
	}
}

const MARKS = [['**', 'strong'], ['~~', 'del'], ['*', 'em']];
const LINK = /^(!?)\[([^\]]{0,500})\]\(([^)\s]{0,1500})[^)]{0,200}\)/;

// The inline parts of a line as nodes. Each search is bounded, so that no text takes long.
function inline(text, depth = 0) {
	const made = [''];
	const absent = new Set();
	for (let at = 0; at < text.length; ) {
		const [length, node] = special(at) ?? [1, text[at]];
		if (typeof node === 'string' && typeof made.at(-1) === 'string') made[made.length - 1] += node; else made.push(node);
		at += length;
	}
	return made;

	function special(at) {
		const sign = text[at];
		if (sign === '[' || sign === '!') {
			const [whole, image, label, url] = LINK.exec(text.slice(at, at + 2300)) ?? [];
			return whole && [whole.length, el('span.link', image ? `[image: ${label}]` : label, el('span', ` (${url})`))];
		}
		const [mark, tag] = sign === '`' ? [/^`+/.exec(text.slice(at, at + 50))[0], 'code'] : MARKS.find(([one]) => text.startsWith(one, at)) ?? [];
		if (!mark) return null;
		const from = at + mark.length;
		if (absent.has(mark) || depth > 6 || (tag !== 'code' && /^\s?$/.test(text[from] ?? ''))) return [mark.length, mark];
		for (let end = from, tries = 0; tries < 20; tries += 1) {
			end = text.indexOf(mark, end + 1);
			if (end < 0) break;
			const inner = text.slice(from, end);
			if (tag === 'code') return [end + mark.length - at, el('code', inner)];
			if (!/\s$/.test(inner.slice(-1)) && (mark !== '*' || (text[end + 1] !== '*' && text[end - 1] !== '*'))) return [end + mark.length - at, el(tag, inline(inner, depth + 1))];
		}
		absent.add(mark);
		return [mark.length, mark];
	}
}

// A text with the runs marked that only the named sides have.
const marked = (runs, ...sides) => el('div.text', AUTO, runs.map(([kind, text]) => kind === 'same' ? text
	: sides.includes(kind) && el(kind === 'chosen' ? 'ins' : 'del', text)));

function conversation(context, text) {
	const turns = context.map(({ role, content }) => el('div.turn', el('span.role', words(role)), text(content)));
	const older = turns.length > 5 ? turns.splice(0, turns.length - 3) : [];
	return el('div.context', older.length > 0 && el('details', el('summary', `${older.length} earlier turns`), older), turns);
}

// ---- view: where one is

const NARROW = ['kind', 'finding', 'skip', 'source', 'judge', 'mark'];
const FILTERS = [...NARROW, 'q', 'min_margin', 'min_gap', 'sort', 'order'];
let route = { place: [''], filters: new URLSearchParams() };

function readRoute() {
	const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
	const filters = new URLSearchParams();
	for (const [name, value] of new URLSearchParams(query)) if (FILTERS.includes(name) && value) filters.set(name, value);
	return { place: path.split('/'), filters };
}
const address = (path, filters) => `#/${path}${filters.size ? `?${filters}` : ''}`;
// The address of the list with other filters. Of those in NARROW there is one at a time.
function filtered(changes, path = '') {
	const filters = new URLSearchParams(route.filters);
	if (NARROW.some((name) => name in changes)) NARROW.forEach((name) => filters.delete(name));
	for (const [name, value] of Object.entries(changes)) if (value) filters.set(name, value); else filters.delete(name);
	return address(path, filters);
}
function go(hash, replace = false) {
	if (hash === location.hash) return;
	history[replace ? 'replaceState' : 'pushState'](null, '', hash);
	follow();
}
const narrowed = () => FILTERS.slice(0, 9).filter((name) => route.filters.has(name));

function follow() {
	const before = String(route.filters);
	route = readRoute();
	if (before !== String(route.filters) || !list.loaded) {
		shownAt = null;
		list.reset();
	}
	const [page, row] = route.place;
	document.body.dataset.page = page === 'row' ? 'row' : page ? 'report' : 'list';
	drawFilters();
	if (page === 'row') return located = showRow(Number(row));
	shown = null;
	list.draw();
	const reports = { shortcuts: shortcutReport, training: trainingReport, verdict: verdictReport, about: overview };
	return showPane((reports[page] ?? (route.filters.has('finding') ? findingReport : overview))());
}

let paneOf;
function showPane(...children) {
	const pane = $('#pane');
	pane.replaceChildren(...nodes([el('a.back', { href: address('', route.filters) }, '‹ Rows'), children]));
	if (paneOf !== location.hash) pane.scrollTop = 0;
	paneOf = location.hash;
}

// ---- view: the list, of which only what is in sight is drawn

const PAGE = 100, HEIGHT = 84, TALLEST = 12e6, MOST_PAGES = 60, AROUND = 4;
const listed = (more, signal) => api(`rows?${new URLSearchParams([...route.filters, ...Object.entries(more)])}`, null, signal);
const list = {
	total: 0, pages: new Map(), nodes: new Map(), loaded: false, waiting: null,

	// Reads the rows anew; `other` ones begin at the top.
	reset(other = true) {
		this.waiting?.abort();
		Object.assign(this, { waiting: null, loaded: true, pages: new Map() });
		if (!other && this.total) return this.draw();
		$('#rows').scrollTop = this.total = 0;
		$('#spacer').replaceChildren();
		this.nodes.clear();
		return this.load(0);
	},

	// The rows of a page; none where the list has changed meanwhile.
	async load(number) {
		const { pages } = this;
		if (pages.has(number)) return pages.get(number);
		const waiting = this.waiting = new AbortController();
		const { rows, total } = await listed({ offset: number * PAGE, limit: PAGE }, waiting.signal).catch((error) => { trouble(error); return {}; });
		if (this.waiting === waiting) this.waiting = null;
		if (!rows || pages !== this.pages) return [];
		if (pages.size >= MOST_PAGES) pages.delete(pages.keys().next().value);
		pages.set(number, rows);
		this.total = total;
		$('#total').textContent = narrowed().length ? `${count(total)} of ${plural(source.rows + source.skips, 'row')}` : plural(total, 'row');
		this.draw();
		return rows;
	},

	async at(index) {
		const { pages } = this;
		const rows = await this.load(Math.floor(index / PAGE));
		return pages === this.pages ? rows[index % PAGE] : this.at(index);
	},

	// Rows per pixel of scrolling: no browser draws a list as high as a million rows.
	rate(box) {
		const whole = Math.min(this.total * HEIGHT, TALLEST);
		return whole > box.clientHeight ? (this.total - box.clientHeight / HEIGHT) / (whole - box.clientHeight) : 1 / HEIGHT;
	},

	draw() {
		const box = $('#rows');
		const exact = box.scrollTop * this.rate(box);
		const first = Math.max(0, Math.floor(exact) - AROUND);
		const last = Math.min(this.total, Math.ceil(exact + box.clientHeight / HEIGHT) + AROUND);
		$('#spacer').style.height = `${Math.min(this.total * HEIGHT, TALLEST)}px`;
		$('#none').hidden = this.total > 0 || this.waiting;
		for (const [index, node] of this.nodes) if (index < first || index >= last) { node.remove(); this.nodes.delete(index); }
		for (let index = first; index < last; index += 1) {
			const page = Math.floor(index / PAGE);
			const row = this.pages.get(page)?.[index % PAGE];
			let node = this.nodes.get(index);
			if (!node || (row && node.row !== row)) { // what was there stays until the new row comes
				node?.remove();
				node = Object.assign(row ? rowLine(row, index) : el('li.line'), { row });
				this.nodes.set(index, node);
				$('#spacer').append(node);
			}
			node.style.transform = `translateY(${box.scrollTop + (index - exact) * HEIGHT}px)`;
			if (row) current(node.firstChild, row.row === shown);
			else if (!this.waiting) this.load(page);
		}
	},

	reveal(index) {
		const box = $('#rows');
		const top = index / this.rate(box);
		if (top < box.scrollTop || top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 3;
		this.draw();
	},
};
const current = (node, is) => { if (is) node.setAttribute('aria-current', 'true'); else node.removeAttribute('aria-current'); };

function rowLine(row, index) {
	const sort = route.filters.get('sort');
	const answer = (side, text) => el(`span.answer.${side}`, el('bdi', text || '(empty)'));
	const link = el('a', { href: filtered({}, `row/${row.row}`) },
	el('span.head', el('span.number', row.row), el('bdi', row.question || '(empty)'),
		row.mark && el(`span.mark.${row.mark}`, row.mark),
		row.findings.length > 0 && el('span.codes', row.findings.slice(0, 2).join(' ')),
		sort in row && el('span.margin', `${words(sort)} ${figure(row[sort])}`)),
	row.kind === 'pair' ? [answer('chosen', row.chosen), answer('rejected', row.rejected)] : el('span.answer.skipped', `skipped: ${words(row.reason)}`));
	return el('li.line', { 'aria-posinset': index + 1, 'aria-setsize': list.total }, link);
}

async function step(by) {
	if (shownAt === null && shown !== null) await located;
	const next = shownAt === null ? 0 : shownAt + by;
	if (next < 0 || next >= list.total) return;
	shownAt = next;
	const row = await list.at(next);
	if (!row || shownAt !== next) return;
	list.reveal(next);
	stepped = row.row;
	go(filtered({}, `row/${row.row}`), route.place[0] === 'row');
}

// ---- view: filters

const level = (name) => el(`span.level.${name}`, { role: 'img', 'aria-label': name, title: name });
const chip = (text, tone) => el(`span.chip.${tone}`, text);
const outcome = (name) => name && chip(name, { PASS: 'good', FAIL: 'bad' }[name] ?? 'warn');
const grade = ({ verdict: name, enough }) => name && (enough === false ? chip('too few', 'warn') : chip(name, { ok: 'good', low: 'plain', watch: 'warn' }[name] ?? 'bad'));
const busy = () => source.state === 'reading' || source.state === 'checking';

function drawFilters() {
	const { rows, skips, dropped, kept, shortcuts, training, verdict, findings, skip_reasons: reasons, sources, judges } = source;
	const entry = (label, number, changes, sign) => link(filtered(changes), address('', route.filters), sign, el('span.name', label), number > 0 && el('span.count', count(number)));
	const report = (name, label, state) => link(`#/${name}`, `#/${route.place[0]}`, el('span.name', label), state);
	const link = (href, here, ...parts) => el('a.entry', { href, 'aria-current': href === here && 'true' }, parts);
	const group = (title, ...entries) => nodes(entries).length > 0 && [el('h2', title), el('ul', nodes(entries).map((one) => el('li', one)))];
	const nav = $('nav');
	const focused = nav.contains(document.activeElement);
	nav.replaceChildren(...nodes([
		group('Rows', entry('All', rows + skips, { kind: '' }), skips > 0 && [entry('Pairs', rows, { kind: 'pairs' }), entry('Skips', skips, { kind: 'skips' })],
			dropped > 0 && entry('Marked to drop', dropped, { mark: 'drop' }), kept > 0 && entry('Marked to keep', kept, { mark: 'keep' })),
		group('Reports', report('about', 'Overview'), shortcuts.length > 0 && report('shortcuts', 'Shortcuts', grade(shortcuts[0])),
			training.length > 0 && report('training', 'Training'), verdict.length > 0 && report('verdict', 'Verdict', outcome(verdict[0].outcome))),
		group('Findings', findings.map((one) => entry([el('b', one.code), ` ${one.title}`], one.count, { finding: one.code }, level(one.level)))),
		busy() && el('p.hint', source.state === 'reading' ? 'The rows are being read …' : 'The checks are running …'),
		group('Skips', reasons.map((one) => entry(words(one.reason), one.count, { skip: one.reason }))),
		group('Runs and files', sources.length > 1 && sources.map((one, at) => entry(one.name, one.rows + one.skips, { source: String(at) }))),
		group('Judges', judges.length > 1 && judges.map((name) => entry(name, 0, { judge: name }))),
	]));
	if (focused) $('[aria-current]', nav)?.focus();
	for (const field of document.querySelectorAll('[data-field]')) {
		if (document.activeElement !== field) field.value = route.filters.get(field.dataset.field) ?? '';
	}
	$('select').value = ['sort', 'order'].map((name) => route.filters.get(name) ?? '').join(' ').trim();
	$('#chips').replaceChildren(...narrowed().filter((name) => name !== 'q').map((name) => button([`${words(name)} `, el('b', route.filters.get(name)), ' ×'],
		() => go(filtered({ [name]: '' })), { class: 'filter', title: 'Remove this filter' })));
}

let typing;
function field(name, label, attributes) {
	const change = ({ target }) => {
		clearTimeout(typing);
		typing = setTimeout(() => go(filtered({ [name]: target.value }), true), 200);
	};
	return el('label', el('span', label), el('input', { 'data-field': name, input: change, ...attributes }));
}
const SORTS = [['', 'As they come'], ['margin desc', 'Widest margin'], ['margin asc', 'Narrowest margin'], ['length_gap desc', 'Widest length gap'],
	['length desc', 'Longest'], ['length asc', 'Shortest'], ['finding desc', 'Most findings']];
function sorted({ target }) {
	const [sort, order] = target.value.split(' ');
	go(filtered({ sort, order }), true);
}

// ---- view: one row

let shown = null, shownAt = null, stepped = null, located = null, detail = null, reading = null;
let layout = 'side';

async function showRow(number) {
	if (number !== stepped) shownAt = null;
	shown = number;
	reading?.abort();
	reading = new AbortController();
	list.draw();
	try {
		const known = detail?.row === number ? detail : await api(`rows/${number}`, null, reading.signal);
		if (shown !== number) return;
		detail = known;
		drawRow();
		document.title = `Row ${number} · ${source.title}`;
		if (shownAt === null || (await list.at(shownAt))?.row !== number) await locate(number);
	} catch (error) {
		if (error.status === 404) showPane(el('p.empty', error.message)); else trouble(error);
	}
}

// Finds the place of a row in the list, from which j and k go on.
async function locate(number) {
	const near = [...list.nodes].find(([, node]) => node.row?.row === number)?.[0];
	const { index } = near >= 0 ? { index: near } : await listed({ at: number, limit: 1 });
	if (shown !== number) return;
	shownAt = index;
	if (index === null) return;
	await list.at(index);
	list.reveal(index);
}

function setLayout(name) {
	layout = name;
	if (detail && shown === detail.row) drawRow();
}

const score = (name, value) => el('span', `${name} `, el('b', figure(value)));
const tag = (side) => side && el(`span.tag.${side}`, side);

function drawRow() {
	const row = detail;
	const pair = row.kind === 'pair';
	const text = layout === 'markdown' ? rendered : plain;
	const layouts = [['side', 'Side by side'], ['inline', 'Inline'], ['markdown', 'Markdown']];
	const switches = el('div.switch', { role: 'group', 'aria-label': 'How the answers are shown' },
		layouts.map(([name, label]) => button(label, () => setLayout(name), { 'aria-pressed': String(layout === name) })));
	const name = source.sources.length > 1 ? ` · ${source.sources[row.source ?? 0]?.name ?? ''}` : '';
	showPane(
		el('div.bar',
			el('h2', { tabindex: -1 }, `Row ${count(row.row)}`, el('span.id', `${row.id ?? ''}${name}`)),
			el('div.tools',
				quiet('↑', () => step(-1), 'Previous row (k)'), quiet('↓', () => step(1), 'Next row (j)'), quiet('Copy link', copyLink, 'Copy the link (l)'),
				pair && [['drop', 'Drop', 'x'], ['keep', 'Keep', 'y']].map(([name, label, letter]) => button(label, () => mark(name),
					{ class: name, 'aria-pressed': String(row.mark === name), title: `Mark to ${name} (${letter})` })))),
		row.findings.map((one) => el('a.notice', { href: filtered({ finding: one.code }) }, level(levelOf(one.code)), el('span', el('b', one.code), ` ${one.message}`))),
		conversation(row.context, text),
		pair ? [switches, answers(row)] : el('div.notice', level('warning'), el('span', el('b', words(row.reason)), row.detail && `: ${row.detail}`)),
		candidates(row, text),
		otherRuns(row),
		Object.keys(row.columns).length > 0 && el('details.part', el('summary', 'Columns'), facts(Object.entries(row.columns))),
	);
}
const levelOf = (code) => source.findings.find((one) => one.code === code)?.level ?? 'note';

const alike = (row) => row.diff && 5 * row.diff.reduce((sum, [kind, text]) => sum + (kind === 'same' ? text.length : 0), 0)
	>= Math.max(row.chosen.length, row.rejected.length);

function answers(row) {
	const { columns, diff, thoughts } = row;
	if (layout === 'inline' && diff) return el('article.side', el('header', tag('chosen'), tag('rejected')), marked(diff, 'rejected', 'chosen'));
	return el('div.sides', ['chosen', 'rejected'].map((side) => el(`article.side.${side}`,
		el('header', tag(side), columns[`${side}_score`] && score(columns.judge ?? 'score', Number(columns[`${side}_score`])), el('span.length', plural(row[side].length, 'character'))),
		thoughts?.[side] && el('details', el('summary', 'Thought'), plain(thoughts[side])),
		!row[side] ? el('p.hint', '(empty)') : layout === 'markdown' ? rendered(row[side]) : alike(row) ? marked(diff, side) : plain(row[side]))));
}

function candidates(row, text) {
	return row.candidates?.length > 0 && section(`All ${plural(row.candidates.length, 'answer')}`, row.candidates.map((one) => el('article.candidate',
		el('header', tag(one.picked), Object.entries(one.scores).map(([name, value]) => score(name, value)), one.finish === 'length' && chip('cut off', 'warn')),
		one.text ? text(one.text) : el('p.hint', '(empty)'))));
}

function otherRuns(row) {
	return row.others?.length > 0 && section('The same prompt elsewhere', row.others.map((one) => el('article.candidate',
		el('header', el('a', { href: `#/row/${one.row}` }, `${source.sources[one.source]?.name}, row ${one.row}`)),
		one.kind === 'pair' ? el('div', ['chosen', 'rejected'].map((side) => el('div.pairline', tag(side), plain(one[side])))) : el('p.hint', words(one.reason ?? 'no pair')))));
}

async function copyLink() {
	const link = `${location.origin}/#/row/${shown}`;
	try {
		await navigator.clipboard.writeText(link);
		tell('The link is copied.');
	} catch { tell(link); }
}

async function mark(name) {
	const line = [...list.pages.values()].flat().find((one) => one.row === shown) ?? detail;
	if (line?.kind !== 'pair') return;
	const { row } = line;
	const wanted = line.mark === name ? null : name;
	try {
		const { dropped, kept } = await api('marks', { row, mark: wanted });
		Object.assign(source, { dropped, kept });
		for (const page of list.pages.values()) page.forEach((one, at) => { if (one.row === row) page[at] = { ...one, mark: wanted }; });
		if (detail?.row === row) detail.mark = wanted;
		if (shown === row && detail?.row === row) drawRow();
		list.draw();
		drawFilters();
		tell(`Row ${row} ${wanted ? `is marked to ${wanted}` : 'has no mark any more'}.`);
	} catch (error) { trouble(error); }
}

async function save() {
	try {
		const { path, rows } = await api('save', {});
		tell(`${plural(rows, 'row')} saved in ${path}`);
	} catch (error) { trouble(error); }
}

// ---- view: reports

const heading = (...title) => el('div.bar', el('h2', { tabindex: -1 }, title));
const table = (head, rows) => el('table.figures', el('thead', el('tr', head.map((one) => one ? el('th', { scope: 'col' }, one) : el('td')))),
	el('tbody', rows.map((cells) => cells && el('tr', cells.map((cell) => el('td', AUTO, cell))))));
const share = (value, low, high) => [percent(value), Number.isFinite(low) && el('span.hint', ` ${percent(low)} to ${percent(high)}`)];

const several = () => source.sources.length > 1;
// What a part is of: the run, where there are several, and the model.
const titleOf = ({ run, model }, state) => [nodes([several() && run, model]).join(' · '), ' ', state];

function overview() {
	const { findings, failure, sources, compared, verdict } = source;
	const outcomes = sources.map(({ name }) => verdict.filter((one) => one.run === name).map((one) => outcome(one.outcome)));
	return [
		heading(source.title),
		failure && el('p.notice', level('error'), failure),
		several() && section('Compared', table(['', ...sources.map((one) => one.name)], [['pairs', ...sources.map((one) => count(one.rows))], ['skips', ...sources.map((one) => count(one.skips))],
			verdict.length > 0 && ['verdict', ...outcomes], ...compared.map(([name, values]) => [words(name), ...values])])),
		findings.length > 0 ? section('Findings', findings.map((one) => el('a.notice', { href: filtered({ finding: one.code }) },
			level(one.level), el('span', el('b', one.code), ` ${one.title}`), el('span.count', count(one.count)))))
			: el('p.hint', busy() ? 'The checks are running …' : 'The checks found nothing.'),
		el('p.hint', 'Next row: ', key('j'), ', all keys: ', key('?')),
	];
}

function findingReport() {
	const code = route.filters.get('finding');
	const found = source.findings.find((one) => one.code === code) ?? { code, level: 'note', count: 0 };
	return [heading(level(found.level), ` ${code} `, el('span.id', plural(found.count, 'row'))), el('p', found.title),
		found.message && el('p.hint', `For example: ${found.message}`), found.fix && el('p.notice', el('b', 'What to do: '), el('code', found.fix))];
}

const shortcutReport = () => [heading('Shortcuts'), el('p', 'What tells chosen from rejected answers without reading them. A training learns that first.'),
	source.shortcuts.length ? source.shortcuts.map((one) => section(titleOf(one, grade(one)),
		el('p.hint', one.conclusion),
		one.findings.map((found) => el('article.candidate',
			el('header', el('b', AUTO, found.phrase ?? found.feature ?? found.code), found.intended ? chip('intended', 'good') : grade({ verdict: found.grade })),
			el('div', plain(found.message), Number.isFinite(found.win_rate) && el('p', share(found.win_rate), el('span.hint', ' of the prompts that it tells apart')),
				found.examples?.length > 0 && el('p.hint', 'To read: ', found.examples.map((row) => [el('a', { href: `#/row/${row}` }, `row ${row}`), ' ']))))),
		one.predictability && table(['A simple classifier, by', 'guesses the chosen answer in (chance: 50 %)'],
			[['everything', one.predictability], ...Object.entries(one.predictability.by ?? {})].map(([name, by]) => [name === 'first' ? 'first words' : name, share(by.value, by.low, by.high)]))))
		: el('p.hint', 'Not looked for yet.')];

// A chart of one curve of each training, by the colour of the training.
function chart(name) {
	const drawn = source.training.map((one, at) => [at, one.curves[name] ?? []]).filter(([, points]) => points.length > 1);
	if (!drawn.length) return null;
	const span = (axis) => drawn.flatMap(([, points]) => points).reduce(([low, high], point) => [Math.min(low, point[axis]), Math.max(high, point[axis])], [Infinity, -Infinity]);
	const [[left, right], [low, high]] = [span(0), span(1)];
	const at = ([x, y]) => `${(300 * (x - left)) / (right - left || 1)},${96 - (92 * (y - low)) / (high - low || 1)}`;
	return el('figure.curve', el('figcaption', words(name), el('span', drawn.map(([line, points]) => el(`b.line${line % 3}`, ` ${figure(points.at(-1)[1])}`)))),
		el('svg', { viewBox: '0 0 300 100', role: 'img', preserveAspectRatio: 'none', 'aria-label': `${name} of ${plural(drawn.length, 'training')}` },
			drawn.map(([line, points]) => el(`polyline.line${line % 3}`, { points: points.map(at).join(' ') }))),
		el('div.axis', el('span', `${figure(low)} to ${figure(high)}`), el('span', `step ${count(left)} to ${count(right)}`)));
}

function trainingReport() {
	const { training } = source;
	return [heading('Training'), el('div.curves', [...new Set(training.flatMap((one) => Object.keys(one.curves)))].map(chart)),
		training.map((one, at) => section([training.length > 1 && el('svg.key', { viewBox: '0 0 26 4' }, el(`polyline.line${at % 3}`, { points: '0,2 26,2' })), titleOf(one, outcome(one.outcome))],
			one.alarm && el('p.notice', level('warning'), `Alarm at step ${one.alarm.step}: ${one.alarm.message}`), facts(Object.entries(one.about))))];
}

function verdictReport() {
	const passed = (ok) => ok !== null && outcome(ok ? 'PASS' : 'FAIL');
	const texts = (title, rows) => rows.length > 0 && section(title, rows.map((one) => el('article.candidate', el('header', one.metric && el('b', words(one.metric))),
		el('div', one.system && el('p.hint', AUTO, one.system), plain(one.question),
			facts([['before', one.before], ['now', one.answer ?? one.now], ['expected', one.expected]].filter(([, text]) => text))))));
	return [heading('Verdict'), source.verdict.map((one) => section(titleOf(one, outcome(one.outcome)),
		one.why.map((hint) => el('div.notice', level('warning'), el('span', el('b', words(hint.metric ?? '')), ` ${hint.why ?? ''} `, el('span.hint', hint.fix)))),
		table(['measure', 'before', 'now', 'limit', ''], one.measures.map(({ name, texts: cells, ok }) => [words(name), ...cells, passed(ok)])),
		texts('Answers, before and now', one.answers), texts('Answers that count against it', one.failed)))];
}

// ---- view: the page

async function watchSource() {
	while (busy()) {
		await pause(2000);
		try {
			const before = JSON.stringify(source);
			source = await api('source');
			if (before === JSON.stringify(source)) continue;
			drawFilters();
			list.reset(false);
			if (!busy()) detail = null; // it may have findings now
			if (!busy() || route.place[0] !== 'row') follow();
		} catch (error) { trouble(error); }
	}
}

function startView() {
	const menu = quiet('Filters', () => menu.setAttribute('aria-expanded', document.body.classList.toggle('menu')));
	menu.classList.add('menu');
	$('#top').replaceChildren(...nodes([menu, el('h1', el('a', { href: '#/' }, source.title)), el('div.tools',
		source.writable && button('Save rows', save, { class: 'primary' }), quiet('Keys', () => keyHelp(VIEW_KEYS), 'Keys (?)'))]));
	$('#app').replaceChildren(
		el('nav', { 'aria-label': 'Filters and reports' }),
		el('section', { id: 'listing', 'aria-label': 'Rows' },
			el('div.controls', field('q', 'Search', { type: 'search', id: 'search', placeholder: 'Search in texts   /' }),
				el('details', el('summary', el('span', { id: 'total' }, '…'), el('span', 'Sort and filter')),
					el('label', el('span', 'Sort by'), el('select', { change: sorted }, SORTS.map(([value, text]) => el('option', { value }, text)))), el('div.fields', field('min_margin', 'Margin at least', { type: 'number', step: 'any' }), field('min_gap', 'Length gap at least', { type: 'number', min: 0 }))),
				el('div', { id: 'chips' })),
			el('div', { id: 'rows', tabindex: 0, scroll: () => requestAnimationFrame(() => list.draw()) },
				el('ol', { id: 'spacer' }), el('p.empty', { id: 'none', hidden: true }, 'No row fits these filters.'))),
		el('main', { id: 'pane', tabindex: 0 }));
	document.body.className = 'view';
	addEventListener('resize', () => list.draw());
	addEventListener('popstate', follow);
	addEventListener('keydown', viewKey);
	$('nav').addEventListener('click', () => document.body.classList.remove('menu'));
	follow();
	watchSource();
}

const VIEW_KEYS = [['j k', 'next or previous row'], ['Enter', 'go to the row'], ['/', 'search'], ['Esc', 'back to the list'], ['d', 'side by side or inline'],
	['m', 'Markdown or plain'], ['x', 'mark to drop'], ['y', 'mark to keep'], ['l', 'copy the link'], ['?', 'this help']];

const ignored = (event) => event.ctrlKey || event.metaKey || event.altKey || $('#dialog').open;
function viewKey(event) {
	if (ignored(event)) return;
	const inField = event.target.closest('input, select');
	if (inField && event.key === 'Enter') { event.target.blur(); step(1); }
	if (inField && event.key !== 'Escape') return;
	const act = {
		j: () => step(1), k: () => step(-1), '/': () => $('#search').focus(), x: () => mark('drop'), y: () => mark('keep'), l: copyLink,
		d: () => setLayout(layout === 'side' ? 'inline' : 'side'), m: () => setLayout(layout === 'markdown' ? 'side' : 'markdown'), '?': () => keyHelp(VIEW_KEYS),
		Enter: event.target.closest('a, button, summary') ? null : () => $('#pane h2')?.focus(),
		Escape: () => { if (inField) event.target.blur(); else if (route.place[0]) go(filtered({})); $('#rows').focus(); },
	}[event.key];
	if (!act) return;
	event.preventDefault();
	act();
}

// ---- judge: verdicts that are not saved yet

const SLOW = 3000, GIVEN_UP = 10000; // milliseconds

// The name of an event; crypto.randomUUID is missing where the page comes over HTTP from another machine.
const unique = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

// Events in their order, kept in the browser until the server has them. Sent twice, one is stored once.
const queue = {
	events: [], trouble: '', kept: true, sending: false, made: 0,
	prefix: () => `pairforge:${source.id}:`,

	open() {
		this.kept = kept(() => {
			const names = Object.keys(localStorage).filter((name) => name.startsWith(this.prefix())).sort();
			this.events = names.map((name) => JSON.parse(localStorage.getItem(name)));
		});
		this.send();
	},

	add(event) {
		this.made += 1;
		event.name = `${this.prefix()}${Date.now()}.${String(this.made).padStart(6, '0')}`;
		this.events.push(event);
		this.kept &&= kept(() => localStorage.setItem(event.name, JSON.stringify(event)));
		this.send();
	},

	async send() {
		drawSaved();
		if (this.sending) return;
		this.sending = true;
		for (let wait = 500; this.events.length; ) {
			const [event] = this.events;
			const { name, ...body } = event;
			const slow = setTimeout(() => this.failed('the server does not answer'), SLOW);
			try {
				const { progress } = await api('judge/events', body, AbortSignal.timeout(GIVEN_UP));
				this.done(event);
				judge.progress = progress;
				wait = 500;
			} catch (error) {
				if (error.status === 400 || error.status === 409) this.refused(event, error);
				else {
					this.failed(error.status ? error.message : 'the server does not answer');
					await pause(wait);
					wait = Math.min(2 * wait, 8000);
				}
			} finally { clearTimeout(slow); }
			drawSaved();
		}
		this.sending = false;
		refill();
	},

	failed(why) {
		this.trouble = why;
		drawSaved();
	},
	refused(event, error) {
		this.done(event);
		judge.past = judge.past.filter((one) => one.uuid !== event.uuid);
		judge.items.length = Math.min(judge.items.length, 1); // the others may be judged, too
		tell(`A verdict was refused: ${error.message}`, true);
	},
	done(event) {
		this.trouble = '';
		this.events = this.events.filter((one) => one !== event);
		kept(() => localStorage.removeItem(event.name));
	},
};

function drawSaved() {
	const waiting = queue.events.length;
	const text = !waiting ? 'Saved' : queue.trouble ? `Not saved yet: ${queue.trouble}. ${plural(waiting, 'verdict')} kept in this ${queue.kept ? 'browser' : 'tab'}.` : 'Saving …';
	const box = $('#saved');
	if (box.textContent !== text) box.textContent = text;
	box.className = !waiting ? 'good' : queue.trouble ? 'bad' : '';
	drawProgress();
}

// ---- judge: one item after another

const AHEAD = 12, ASKED = 20, MOST = 100;
// `gone` are items judged here or in another tab, `past` what can be undone, `best` the key pressed first.
const judge = { who: search.get('who') ?? '', items: [], gone: new Set(), past: [], progress: null, empty: false, asking: false, best: null, edit: null, editing: '', differ: false, runs: [], text: rendered };
const tabs = new BroadcastChannel('pairforge');
const pastName = () => `pairforge:past:${source.id}:${judge.who}`;

async function fill() {
	if (judge.asking || judge.empty || judge.items.length >= AHEAD) return;
	judge.asking = true;
	try {
		const asked = new URLSearchParams({ limit: Math.min(MOST, ASKED + queue.events.length + judge.items.length), ...(judge.who && { who: judge.who }) });
		const { who, items, progress, failure } = await api(`judge/queue?${asked}`, null, AbortSignal.timeout(GIVEN_UP));
		Object.assign(judge, { who, progress, failure });
		if (progress.reading) setTimeout(refill, 1000);
		const none = !itemNow();
		const known = new Set(judge.items.map((one) => one.item));
		const fresh = items.filter((one) => !judge.gone.has(one.item) && !known.has(one.item));
		judge.items.push(...fresh);
		judge.empty = !fresh.length && !queue.events.length && !progress.reading;
		if (none) drawItem(); else drawProgress();
	} catch (error) {
		if (error.status) trouble(error);
		setTimeout(fill, 1500);
	}
	judge.asking = false;
}
function refill() {
	judge.empty = false;
	fill();
}

const itemNow = () => judge.items[0];
const isPair = () => itemNow().answers.length === 2;

function note(event) {
	queue.add({ uuid: unique(), of: source.id, who: judge.who, ...event });
	kept(() => sessionStorage.setItem(pastName(), JSON.stringify(judge.past.slice(-MOST))));
	tabs.postMessage({ kind: event.kind, item: event.item, who: judge.who, source: source.id });
	drawItem();
}

function decide(choice, best = null, worst = null) {
	const item = judge.items.shift();
	const event = { uuid: unique(), item: item.item, kind: 'verdict', choice, best, worst, edit: best && judge.edit, seconds: Math.round(performance.now() - judge.since) / 1000 };
	judge.gone.add(item.item);
	judge.past.push({ uuid: event.uuid, item });
	note(event);
	fill();
}

function undo() {
	if (judge.best) return clear();
	const last = judge.past.pop();
	if (!last) return tell('There is nothing to undo.');
	judge.gone.delete(last.item.item);
	judge.items.unshift(last.item);
	tell('The last verdict is undone.');
	return note({ item: last.item.item, kind: 'undo', undoes: last.uuid });
}

// What another tab of this annotator has judged is not asked here again.
function hear({ data }) {
	if (data.source !== source.id || data.who !== judge.who) return;
	if (data.kind === 'undo') judge.gone.delete(data.item);
	else {
		const now = itemNow()?.item === data.item;
		judge.gone.add(data.item);
		judge.items = judge.items.filter((one) => one.item !== data.item);
		if (now) { tell('This item was judged in another tab.'); drawItem(); }
	}
	refill();
}

function press(number) {
	if (number > (itemNow()?.answers.length ?? 0)) return;
	const best = judge.best;
	if (judge.editing === 'which') { judge.best = number; edit(); }
	else if (isPair()) decide('picked', number, 3 - number);
	else if (best === number) clear();
	else if (best) decide('picked', best, number);
	else { judge.best = number; drawItem(true); }
}
function clear() {
	Object.assign(judge, { best: null, edit: null, editing: '' });
	drawItem(true);
}

function edit() {
	judge.editing = judge.best ? 'text' : judge.editing ? '' : 'which';
	drawItem(true);
	$('textarea')?.focus();
}
function useEdit() {
	judge.edit = $('textarea').value.trim() ? $('textarea').value : null;
	judge.editing = '';
	if (isPair()) decide('picked', judge.best, 3 - judge.best); else drawItem(true);
}
function editor(number, text) {
	const keys = (event) => {
		if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) useEdit();
		if (event.key === 'Escape') clear();
	};
	return [el('textarea', { 'aria-label': `Edit answer ${number}`, dir: 'auto', rows: 10, keydown: keys }, text),
		el('div.tools', button('Use as chosen', useEdit, { class: 'primary', title: 'Ctrl+Enter' }), button('Cancel', clear))];
}

// Reads how the answers to an item differ from the best one.
async function compare({ item }) {
	const asked = `judge/differences?${new URLSearchParams({ who: judge.who, item, best: judge.best ?? 1 })}`;
	if (asked === judge.compared) return;
	Object.assign(judge, { compared: asked, runs: [] });
	try {
		const { runs } = await api(asked);
		if (asked !== judge.compared) return;
		judge.runs = runs;
		if (judge.editing !== 'text') drawItem(true);
	} catch (error) { trouble(error); }
}

function card({ text }, at) {
	const number = at + 1;
	const best = judge.best === number;
	const label = best ? 'Best' : judge.best && !isPair() ? 'Worst?' : `Answer ${number}`;
	return el(`article.card.${best ? 'best' : 'other'}`, { 'aria-label': `Answer ${number}` },
		el('header', button([key(String(number)), label], () => press(number), { class: 'pick', 'aria-pressed': String(best), 'aria-label': `${label}${best ? ', take it back' : ''}: ${number}` }),
			best && judge.edit !== null && chip('edited', 'good')),
		best && judge.editing === 'text' ? editor(number, judge.edit ?? text) : best && judge.edit !== null ? plain(judge.edit)
			: judge.differ && judge.runs[at] ? marked(judge.runs[at], 'chosen') : judge.text(text));
}

function drawItem(same = false) {
	const item = itemNow();
	if (!same) {
		Object.assign(judge, { best: null, edit: null, editing: '', since: performance.now() });
		scrollTo(0, 0);
	}
	drawProgress();
	if (judge.differ && item) compare(item);
	const ask = !item ? judge.failure || (!judge.empty ? 'Loading …' : judge.progress.total ? 'All items are judged.' : 'There is nothing to judge.')
		: judge.editing ? judge.best ? 'Change the answer. Your text becomes the chosen one.' : 'Which answer is to be edited?'
			: isPair() ? 'Which answer is better?' : judge.best ? 'And which is worst?' : 'Which answer is best?';
	for (const [name, pressed] of [['d', judge.differ], ['m', judge.text === rendered]]) $(`footer [data-key=${name}]`).setAttribute('aria-pressed', String(pressed));
	$('main').replaceChildren(...nodes([item && conversation(item.context, judge.text), el('h2.ask', { tabindex: -1 }, ask),
		item ? el('div.cards', item.answers.map(card)) : judge.empty && judge.past.length > 0 && el('p.empty', 'You can close this page, or take the last verdict back: ', key('u'))]));
	if (!same) $('h2').focus({ preventScroll: true });
}

function drawProgress() {
	const { progress } = judge;
	if (!progress) return;
	const { total, reading, per_hour: speed, seconds_left: left } = progress;
	const done = progress.done + queue.events.reduce((sum, event) => sum + (event.kind === 'undo' ? -1 : 1), 0);
	$('#facts').textContent = nodes([judge.who, `${count(done)} of ${count(total)}${reading ? ' …' : ''}`, speed && `${count(speed)} per hour`,
		left > 0 && done < total && !reading && `${left > 5400 ? `${figure(left / 3600)} hours` : `${Math.ceil(left / 60)} min`} left`,
		progress.agreement !== null && `agreement ${percent(progress.agreement)}`]).join('  ·  ');
	Object.assign($('progress'), { max: total || 1, value: Math.max(0, done) });
}

async function showAgreement() {
	try {
		const { shares, alpha } = await api(`judge/progress?${new URLSearchParams({ who: judge.who })}`);
		dialog('Agreement', shares.length ? [facts(shares), alpha && el('p', alpha)] : el('p', 'There is nothing to compare yet: two people on one item, or a judge with scores.'));
	} catch (error) { trouble(error); }
}

const BUTTONS = [['t', 'All alike'], ['x', 'All bad'], ['s', 'Skip'], ['e', 'Edit'], ['u', 'Undo'], ['d', 'Differences'], ['m', 'Markdown']];
const JUDGE_KEYS = [['1…9', 'The best answer, then the worst; of two answers, the better one'], ...BUTTONS, ['a', 'How far people agree'], ['g', 'Guidelines'], ['?', 'This help'],
	['', 'Edit: your text becomes the chosen answer. Undo: as often as you like.']];
const JUDGE_ACTS = {
	t: () => decide('tie'), x: () => decide('all_bad'), s: () => decide('skip'), e: edit, Escape: clear,
	d: () => { judge.differ = !judge.differ; drawItem(true); },
	m: () => { judge.text = judge.text === plain ? rendered : plain; drawItem(true); },
};
const ALWAYS = { u: undo, a: showAgreement, '?': () => keyHelp(JUDGE_KEYS), g: () => source.guidelines ? dialog('Guidelines', rendered(source.guidelines)) : tell('There are no guidelines.') };
const judgeAct = (name) => ALWAYS[name] ?? (itemNow() && JUDGE_ACTS[name]);

function judgeKey(event) {
	if (ignored(event) || event.repeat || event.target.closest('textarea')) return;
	const act = /^[1-9]$/.test(event.key) ? () => press(Number(event.key)) : judgeAct(event.key.length === 1 ? event.key.toLowerCase() : event.key);
	if (!act) return;
	event.preventDefault();
	act();
}

function startJudge() {
	const act = ([name, label]) => button([key(name), label], () => judgeAct(name)?.(), { 'data-key': name });
	$('#top').replaceChildren(el('h1', source.title), el('p', { id: 'saved', role: 'status' }), el('div.tools',
		quiet('Agreement', ALWAYS.a, 'How far people agree (a)'), source.guidelines && quiet('Guidelines', ALWAYS.g, 'Guidelines (g)'), quiet('Keys', ALWAYS['?'], 'Keys (?)')));
	$('#app').replaceChildren(el('section.progress', { 'aria-label': 'Progress' }, el('progress', { 'aria-label': 'Progress' }), el('p', { id: 'facts' })), el('main', { tabindex: -1 }),
		el('footer', BUTTONS.map(act)));
	document.body.className = 'judge';
	judge.who ||= source.who ?? '';
	kept(() => { judge.past = JSON.parse(sessionStorage.getItem(pastName())) ?? []; });
	queue.open();
	for (const { kind, who, item } of queue.events) if (who === judge.who) judge.gone[kind === 'undo' ? 'delete' : 'add'](item);
	tabs.onmessage = hear;
	addEventListener('keydown', judgeKey);
	drawItem();
	fill();
}

// ---- start

$('#skip').addEventListener('click', () => $('main')?.focus());
try {
	source = await api('source');
	document.title = source.title;
	if (source.mode === 'judge') startJudge(); else startView();
} catch (error) {
	$('#app').replaceChildren(el('p.empty', { role: 'alert' }, error.status ? error.message : 'The server does not answer. Start it again, then reload this page.'));
	if (!error.status) throw error;
}
