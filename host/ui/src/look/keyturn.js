/* Comfort only: without it every task can be done. Words come from data attributes of the body, or of what stands in another panel's page. */
(() => {
  const words = document.querySelector('[data-kt-working]')?.dataset;
  const each = (query, act) => document.querySelectorAll(query).forEach(act);
  const on = (what, event, act, how) => what.addEventListener(event, act, how);
  const make = (name, className = '', rest) => Object.assign(document.createElement(name), { className }, rest);
  const status = (name, className) => make(name, className, { role: 'status' });

  /* Names begin with `part` where the form is a part of another; what is asked here is the part's alone. */
  const post = async (form, part, pairs) => {
    const got = await fetch(form.getAttribute('action'), {
      method: 'POST', redirect: 'error', headers: { accept: 'application/json' },
      body: new URLSearchParams([['kt', form.elements[part + 'kt'].value], ...pairs]),
    });
    if (!got.ok) throw got;
    return got.json();
  };

  /* A button that shows what was typed; hidden again when it is sent, or found again in history. */
  each('.kt-password input', input => {
    const button = make('button', 'kt-show', { type: 'button' });
    const said = status('span', 'kt-hidden');
    const set = shown => {
      input.type = shown ? 'text' : 'password';
      button.textContent = shown ? words.ktHide : words.ktShow;
      button.ariaLabel = shown ? input.dataset.ktHide : input.dataset.ktShow;
    };
    button.setAttribute('aria-controls', input.id);
    on(button, 'click', () => {
      const shown = input.type === 'password';
      set(shown);
      said.textContent = shown ? words.ktShown : words.ktHidden;
    });
    set(false);
    input.parentNode.classList.add('kt-shows');
    input.after(button, said);
    on(input.form, 'submit', () => set(false));
    on(window, 'pageshow', () => set(false));
  });

  /* Advice while typing; it goes away quietly when the host has no answer. */
  each('input[data-kt-rate]', input => {
    const bar = make('div', 'kt-meter', { ariaHidden: true });
    const said = status('p', 'kt-strength');
    const field = input.dataset.ktRate;
    let timer, turn = 0;
    const clear = () => {
      bar.hidden = true;
      said.textContent = '';
    };
    bar.append(make('i'), make('i'), make('i'), make('i'));
    clear();
    input.parentNode.after(bar, said);
    const ask = async mine => {
      if (!input.value) return clear();
      try {
        const rate = await post(input.form, input.name.slice(0, -field.length), [['kt-rate', field], [field, input.value]]);
        if (mine !== turn) return;
        bar.dataset.score = rate.score;
        bar.hidden = false;
        said.replaceChildren(make('strong', '', { textContent: rate.word }), ' ' + rate.text);
      } catch {
        if (mine === turn) clear();
      }
    };
    on(input, 'input', () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 400, ++turn);
    });
  });

  const copies = (after, text) => {
    if (!navigator.clipboard) return;
    const button = make('button', 'kt-button', { type: 'button', textContent: words.ktCopy });
    const said = status('span', 'kt-hidden');
    on(button, 'click', async () => {
      await navigator.clipboard.writeText(text());
      button.textContent = said.textContent = words.ktCopied;
    });
    after.after(button, said);
  };
  each('pre[data-kt-copy]', code => copies(code, () => [...code.children].map(line => line.textContent).join('\n')));

  /* The last hour is told as "5 minutes ago"; the exact time stays in title and datetime. */
  const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'auto' });
  const tell = () => each('time[data-kt-ago]', time => {
    time.dataset.ktAgo ||= time.textContent;
    const age = Math.round((Date.parse(time.dateTime) - Date.now()) / 6e4);
    time.textContent = age <= 0 && age > -60 ? ago.format(age, 'minute') : time.dataset.ktAgo;
  });
  tell();
  setInterval(tell, 6e4);

  /* What becomes of a mail: this page is asked for again, ever more seldom, until nothing in it offers to check again. */
  each('[data-kt-live]', part => {
    const said = status('p', 'kt-hidden');
    let pause = 400;
    const wait = () => {
      const offer = part.querySelector('.kt-again');
      if (!offer) return;
      offer.hidden = pause < 12e4;
      if (offer.hidden) setTimeout(check, pause *= 1.5);
    };
    const check = async () => {
      if (document.hidden) return on(document, 'visibilitychange', check, { once: true });
      try {
        const got = await fetch(location, { redirect: 'error', headers: { 'kt-quiet': 1 } });
        const page = new DOMParser().parseFromString(await got.text(), 'text/html');
        const now = page.querySelector(`[data-kt-live="${part.dataset.ktLive}"]`);
        const { ktSaid, ktBad } = now.dataset;
        if (ktSaid !== part.dataset.ktSaid) {
          if (said.textContent !== ktSaid) said.textContent = ktSaid;
          /* A success that is none any more; what was done stands in the part. */
          each(`[data-kt-mail="${ktBad}"]`, told => told.remove());
          /* What has the focus keeps it, and is drawn anew when that has gone. */
          if (!part.contains(document.activeElement)) {
            part.replaceWith(now);
            part = now;
            tell();
          }
        }
      } catch {
        pause = 12e4;
      }
      wait();
    };
    part.after(said);
    wait();
  });

  /* A generated password goes into both fields, is shown, and can be copied; where that fails, the page is posted and shows it. */
  each('[name$=kt-generate]', button => on(button, 'click', async event => {
    const { form, value, dataset } = button;
    const part = button.name.slice(0, -11);
    if (dataset.failed) return;
    event.preventDefault();
    try {
      const got = await post(form, part, [['kt-generate', value], ['kt-script', '1']]);
      for (const name of [value, value + '~again']) {
        const input = form.elements[part + name];
        if (!input) continue;
        input.value = got.value;
        /* What was wrong with what it holds no more. */
        input.ariaInvalid = null;
        each(`#${input.id}-error, li:has([href="#${input.id}"])`, wrong => wrong.remove());
        input.dispatchEvent(new Event('input'));
        if (input.type === 'password') input.parentNode.querySelector('.kt-show').click();
      }
      dataset.copies ||= copies(button, () => form.elements[part + value].value) || 'yes';
    } catch {
      dataset.failed = 'yes';
      button.click();
    }
  }));

  /* One press is one post; the host would run it once anyway. */
  each('form[data-kt-form]', form => {
    let button, text;
    on(form, 'submit', event => {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = 'yes';
      button = event.submitter;
      text = button.textContent;
      button.textContent = words.ktWorking;
    });
    on(window, 'pageshow', () => {
      delete form.dataset.sent;
      if (button) button.textContent = text;
    });
  });

  each('.kt-summary', part => part.focus());
  each('.kt-problems a', link => on(link, 'click', event => {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.closest('.kt-field').scrollIntoView();
  }));
})();
