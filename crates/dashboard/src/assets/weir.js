// What the dashboard adds to its plain pages: live figures, read-outs of charts, keys. Nothing works through it alone.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];
  const live = $('live');
  const address = document.body.dataset.live;
  let stream = null, paused = false, last = Date.now(), newer = 0;

  // Live: one stream a page, closed while nobody looks. A browser has six connections to a server over HTTP/1.1, so of
  // many tabs that are in sight the newest four have one.
  const channel = window.BroadcastChannel && address ? new BroadcastChannel('weir-live') : null;
  const say = (shape, words) => {
    if (!live) return;
    const [mark, text] = live.children;
    mark.textContent = shape === 'ok' ? '●' : '○';
    mark.className = 'shape ' + shape;
    if (text.textContent !== words) text.textContent = words;
  };
  let at = live ? live.children[1].textContent.replace('as of ', '') : '';
  const swap = (region, markup) => {
    const part = $('r-' + region);
    if (!part) return;
    // What somebody uses just now is left alone.
    if (part.contains(document.activeElement) || part.querySelector('details[open]') || part.matches(':hover') && part.querySelector('.row')) return;
    const was = new Map(all('data[value]', part).map((d, i) => [i, d.value]));
    part.innerHTML = markup;
    all('data[value]', part).forEach((d, i) => {
      if (was.has(i) && was.get(i) !== d.value) { d.classList.add('changed'); setTimeout(() => d.classList.remove('changed'), 1000); }
    });
    charts(part);
  };
  const open = () => {
    if (!address || !window.EventSource || stream || paused) return;
    newer = 0;
    if (channel) channel.postMessage('live');
    stream = new EventSource('/dashboard/live?for=' + encodeURIComponent(address));
    stream.onmessage = (event) => {
      last = Date.now();
      const tick = JSON.parse(event.data);
      at = tick.at;
      for (const [region, markup] of Object.entries(tick.regions)) swap(region, markup);
      say('ok', 'live');
      live.title = 'as of ' + at;
    };
    stream.addEventListener('end', () => close('this page is not live'));
  };
  const close = (why) => {
    if (stream) { stream.close(); stream = null; }
    if (why) say('idle', why);
  };
  if (address) {
    document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
    window.addEventListener('pagehide', () => close());
    setInterval(() => { if (stream && Date.now() - last > 10000) say('idle', 'paused since ' + at); }, 2000);
    if (channel) channel.onmessage = () => { if (stream && ++newer >= 4) close('paused: live in newer tabs'); };
    window.addEventListener('focus', () => open());
    if (!document.hidden) open();
  }

  // Charts: the row under the pointer, from the table beside.
  const charts = (of) => all('[data-chart]', of).forEach((chart) => {
    const plot = chart.querySelector('.plot'), table = chart.querySelector('table');
    if (!plot || !table) return;
    const heads = all('thead th', table).map((th) => th.textContent);
    const rows = all('tbody tr', table);
    if (!rows.length) return;
    let box = null, hair = null, here = -1;
    const show = (row) => {
      row = Math.max(0, Math.min(rows.length - 1, row));
      if (!box) {
        box = document.createElement('div'); box.className = 'readout'; box.setAttribute('role', 'status');
        hair = document.createElement('div'); hair.className = 'hair';
        plot.append(hair, box);
      }
      if (row === here) return;
      here = row;
      const cells = [...rows[row].children];
      box.replaceChildren();
      const time = document.createElement('b');
      time.textContent = cells[0].textContent;
      box.append(time);
      cells.slice(1).forEach((cell, i) => {
        for (const text of [heads[i + 1], cell.textContent]) { const span = document.createElement('span'); span.textContent = text; box.append(span); }
      });
      const x = (row + 0.5) / rows.length;
      hair.style.left = x * 100 + '%';
      const wide = plot.clientWidth, own = box.offsetWidth;
      box.style.left = Math.max(0, Math.min(wide - own, x < 0.5 ? x * wide + 12 : x * wide - own - 12)) + 'px';
    };
    const hide = () => { if (box) { box.remove(); hair.remove(); box = hair = null; here = -1; } };
    const rowAt = (event) => { const r = plot.getBoundingClientRect(); return Math.floor((event.clientX - r.left) / r.width * rows.length); };
    plot.addEventListener('pointermove', (event) => show(rowAt(event)));
    plot.addEventListener('pointerleave', hide);
    plot.addEventListener('click', (event) => { const link = rows[Math.max(0, Math.min(rows.length - 1, rowAt(event)))].querySelector('a'); if (link) location.href = link.href; });
    plot.tabIndex = 0;
    plot.setAttribute('role', 'group');
    plot.setAttribute('aria-label', 'Values of the chart: left and right arrow');
    plot.addEventListener('keydown', (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 }[event.key];
      if (by) { event.preventDefault(); show(here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by); }
      if (event.key === 'Escape') hide();
      if (event.key === 'Enter' && here >= 0) { const link = rows[here].querySelector('a'); if (link) location.href = link.href; }
    });
    plot.addEventListener('blur', hide);
  });
  charts(document);

  // Menus close when somebody goes on; only one is open.
  const menus = () => all('details.menu[open]');
  document.addEventListener('click', (event) => menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
  document.addEventListener('focusin', (event) => menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));

  // Keys.
  const copy = $('copy');
  const copied = () => { copy.textContent = 'Copied'; setTimeout(() => { copy.textContent = 'Copy link'; }, 2000); };
  const copyLink = () => navigator.clipboard ? navigator.clipboard.writeText(new URL(copy.href, location.href).href).then(copied, () => {}) : null;
  if (copy) copy.addEventListener('click', (event) => { if (navigator.clipboard && !event.ctrlKey && !event.metaKey) { event.preventDefault(); copyLink(); } });
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (button && navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy).then(() => { button.textContent = 'Copied'; }, () => {});
  });
  const help = $('keys'), off = $('no-keys');
  const stored = () => { try { return localStorage.getItem('weir-no-keys') === '1'; } catch { return false; } };
  if (off) { off.checked = stored(); off.addEventListener('change', () => { try { localStorage.setItem('weir-no-keys', off.checked ? '1' : '0'); } catch { /* not kept */ } }); }
  const toggle = (id) => { const menu = $(id); if (!menu) return; menu.open = !menu.open; const first = menu.querySelector('.sheet a, .sheet input:not([type=hidden])'); if (menu.open && first) first.focus(); };
  const rows = () => all('.row th a');
  const move = (by) => { const list = rows(), now = list.indexOf(document.activeElement); const next = list[now < 0 ? (by > 0 ? 0 : list.length - 1) : now + by]; if (next) next.focus(); };
  const go = (selector) => { const link = document.querySelector(selector); if (link && link.href) location.href = link.href; };
  let after = 0;
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      menus().forEach((menu) => { menu.open = false; menu.querySelector('summary').focus(); });
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input,select,textarea')) return;
    if (event.key === '?') { if (help && !help.open) help.showModal(); return; }
    if (stored() || (help && help.open)) return;
    if (Date.now() - after < 1500) {
      after = 0;
      const link = document.querySelector('.rail [data-key="' + CSS.escape(event.key) + '"]');
      if (link) { event.preventDefault(); location.href = link.href; }
      return;
    }
    const does = {
      g: () => { after = Date.now(); }, '/': () => toggle('filter'), t: () => toggle('range'),
      j: () => move(1), k: () => move(-1), '[': () => go('a[rel=prev].step'), ']': () => go('a[rel=next].step'), y: copyLink,
      '.': () => { if ($('newer')) { location.reload(); } else if (paused) { paused = false; open(); } else if (address) { paused = true; close('paused since ' + at); } },
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });
})();
