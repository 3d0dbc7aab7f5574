// What only a browser can do. Runs once; `trigger` hands an event to the server, where page.py says who hears it.
const EVENTS = ['about', 'ask', 'brief', 'briefed', 'briefings', 'choose', 'chooseall', 'close', 'conversations', 'correct', 'delete', 'edit', 'forget', 'keep', 'narrow', 'open', 'pull',
  'rate', 'remember', 'remove', 'removechosen', 'rename', 'reopen', 'reread', 'restore', 'retry', 'save', 'showpage', 'summarize', 'tag', 'turn', 'unchoose',
  'unbrief', 'undo', 'unpick', 'visit'];
const ASK_TAB = 0;
const box = () => document.querySelector('#question textarea');
const send = (act, details) => { if (EVENTS.includes(act)) trigger(act, details); };
const showAsk = () => document.querySelectorAll('#tabs [role=tab]')[ASK_TAB]?.click();
const typeInto = () => { showAsk(); setTimeout(() => { const field = box(); field?.focus(); field?.setSelectionRange(field.value.length, field.value.length); }, 250); };

// A second press within four seconds is meant.
const sure = (button) => {
  if (button.dataset.sure) return true;
  const words = button.textContent;
  button.dataset.sure = 'yes';
  button.textContent = `${words}?`;
  setTimeout(() => { delete button.dataset.sure; button.textContent = words; }, 4000);
  return false;
};

const copy = async (button) => {
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const field = document.createElement('textarea');  // pages that are not on this machine have no clipboard
    field.value = button.dataset.copy;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = words; }, 1500);
};

document.addEventListener('click', (event) => {
  const button = event.target.closest('#page button');
  if (!button) return;
  if (button.id === 'new' || button.closest('#new')) return typeInto();
  if (button.dataset.link) button.dataset.copy = new URL(button.dataset.link, ROOT).href;
  if (button.dataset.copy) return void copy(button);
  if (button.dataset.act === 'askchosen') return typeInto();
  if (!button.dataset.act || button.type === 'submit') return;
  if (button.classList.contains('sure') && !sure(button)) return;
  if (button.dataset.act === 'open' && !button.closest('#reader')) window.citewireOpener = button;
  if (['about', 'summarize'].includes(button.dataset.act)) window.citewireOpener = null;  // the focus goes on
  if (['ask', 'briefed', 'reopen', 'retry', 'summarize'].includes(button.dataset.act)) showAsk();
  if (button.dataset.act === 'save') button.closest('details')?.removeAttribute('open');
  send(button.dataset.act, {...button.dataset});
  if (button.dataset.act === 'turn') document.getElementById('articles')?.scrollIntoView();
  if (['about', 'edit'].includes(button.dataset.act)) typeInto();
});

// A file that is dropped on the draft is opened as if it had been chosen. One that is dropped where nothing takes files
// would take the place of the page.
const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
const takesFiles = (event) => event.target.closest?.('#upload, #drop');
document.addEventListener('dragover', (event) => {
  if (!hasFiles(event) || takesFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = event.target.closest?.('#checking') ? 'copy' : 'none';
});
document.addEventListener('drop', (event) => {
  if (!hasFiles(event) || takesFiles(event)) return;
  event.preventDefault();
  const field = event.target.closest?.('#checking')?.querySelector('input[type=file]');
  if (!field) return;
  field.files = event.dataTransfer.files;
  field.dispatchEvent(new Event('change', {bubbles: true}));
});

// The conversations beside the page, on a narrow one.
const drawer = (open) => {
  document.getElementById('page').classList.toggle('drawn', open);
  document.querySelector('.drawer')?.setAttribute('aria-expanded', String(open));
};
document.addEventListener('click', (event) => {
  if (event.target.closest('.drawer')) drawer(!document.getElementById('page').classList.contains('drawn'));
  else if (event.target.closest('#beside [data-act]') || !event.target.closest('#beside')) drawer(false);
});

document.addEventListener('change', (event) => {
  const field = event.target;
  if (field.matches('#page input[data-act]')) send(field.dataset.act, {...field.dataset, checked: field.checked});
});

document.addEventListener('submit', (event) => {
  const form = event.target.closest('#page form[data-act]');
  if (!form) return;
  event.preventDefault();
  const pressed = event.submitter?.name ? {[event.submitter.name]: event.submitter.value} : {};
  send(form.dataset.act, {...form.dataset, ...Object.fromEntries(new FormData(form)), ...pressed});
}, true);

// The quote beside its marker, inside the window.
const tip = (marker) => document.getElementById(marker?.getAttribute('aria-describedby') || '');
const hideTips = () => document.querySelectorAll('.tip:not([hidden])').forEach((one) => { one.hidden = true; });
const showTip = (event) => {
  const marker = event.target.closest?.('.marker');
  const shown = tip(marker);
  if (!shown) return event.target.closest?.('.tip') ? undefined : hideTips();
  hideTips();
  shown.hidden = false;
  const at = marker.getBoundingClientRect();
  const size = shown.getBoundingClientRect();
  shown.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  shown.style.top = `${at.bottom + size.height + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - size.height - 4)}px`;
};
document.addEventListener('mouseover', showTip);
document.addEventListener('focusin', showTip);

document.addEventListener('keydown', (event) => {
  const asking = event.target === box();
  const stop = document.querySelector('button#stop, #stop button');
  if (event.key === 'Escape') {
    hideTips();
    if (document.querySelector('#page.drawn')) { drawer(false); document.querySelector('.drawer')?.focus(); }
    else if (stop && !stop.disabled) stop.click();
    else document.querySelector('#reader [data-act=close]')?.click();
  } else if (asking && event.key === 'Enter' && event.shiftKey) {
    event.stopPropagation();  // a new line, as in any text; Gradio would send the question
  } else if (asking && event.key === 'ArrowUp' && !event.target.value) {
    const edit = document.querySelector('#current .act.last[data-act=edit]:not([data-query])');
    if (edit) { event.preventDefault(); edit.click(); }
  }
}, true);

// A browser without a name asks for one. What is answered before Gradio is ready to store it is lost, so it asks again.
const isNamed = () => { try { return !!localStorage.getItem('citewire'); } catch { return true; } };  // nothing can be stored
const whenNamed = (then, waited = 300) => {
  if (isNamed()) return then();
  send('remember', {});
  if (waited < 20000) setTimeout(() => whenNamed(then, 2 * waited), waited);
};

// Where the page is, in its address: `article/ID?start=…&end=…`, `c/ID` or nothing. What is shown writes the address;
// an address that is opened, or come back to, asks for what it names.
const ROOT = new URL('.', document.baseURI).href;
document.querySelector('base').href = ROOT;  // so that the page's own files stay where they are under other addresses
const asked = () => {
  const [kind, id] = location.href.slice(ROOT.length).split(/[?#]/)[0].split('/');
  const {start = '', end = ''} = Object.fromEntries(new URLSearchParams(location.search));
  return kind && id ? {kind, id, start, end, address: `${kind}/${id}`} : {kind: '', id: '', address: ''};
};
const decoded = (id) => { try { return decodeURIComponent(id); } catch { return id; } };
let chat = '';
let wasRead = false;
let isOpened = false;
const place = () => document.querySelector('#place [data-chat]')?.dataset ?? {chat: '', conversation: '', title: ''};
window.citewirePlaced = () => {
  if (!isOpened && document.querySelector('#place [data-opened]')) {
    isOpened = true;
    arrive(3);
    // A list that was asked for before the browser had its name, or its memory was known, was nobody's.
    whenNamed(() => {
      for (const list of ['conversations', 'briefings']) {
        if (document.querySelector(`#${list}-tab-button[aria-selected=true]`)) send(list, {});
      }
    });
  }
  const read = document.querySelector('#reader .reading[data-address]');
  const {chat: current, conversation, title} = place();
  const what = read?.querySelector('h2')?.textContent || title;
  document.title = what ? `${what.slice(0, 200)} · Citewire` : 'Citewire';
  const wanted = new URL(read ? read.dataset.address : conversation, ROOT).href;
  const before = asked();
  if (!read && !wasRead && !conversation && !current && before.kind) return;  // nothing is shown yet, or it could not be
  const isGiven = !read && chat === current && before.kind !== 'article' && before.address !== conversation;
  const state = {...history.state, chat: current, conversation};
  history[location.href === wanted || isGiven ? 'replaceState' : 'pushState'](state, '', wanted);
  [chat, wasRead] = [current, !!read];
};
const visit = (isFirst) => {
  const {kind, id, start, end, address} = asked();
  const known = history.state ?? {};
  // An article stands over a conversation or a briefing.
  const [below, name = ''] = (kind === 'article' ? known.conversation ?? '' : address).split('/');
  const named = {[below === 'briefing' ? 'briefing' : 'conversation']: decoded(name)};
  const isHere = kind === 'article' || known.chat === chat || (kind && place().conversation === address);
  if (kind === 'article') return send('visit', {article: decoded(id), start, end, ...(isFirst ? named : {})});
  if (document.querySelector('#reader .reading')) send('close', {});
  if (kind ? !isHere : !isFirst && !isHere) send('visit', named);
};
addEventListener('popstate', () => visit(false));
// What is answered before the parts of the page are there is lost, so they are waited for, and it is asked for again.
const isArrived = () => document.querySelector('#reader .reading, #current .exchange') || document.querySelector('#note')?.innerText.trim();
const arrive = (tries) => {
  if (!asked().kind || isArrived()) return;
  if (box()) visit(true);
  if (tries) setTimeout(() => arrive(box() ? tries - 1 : tries), box() ? 5000 : 100);
};
