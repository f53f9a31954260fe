import { parseRoute, pathBelow, pathOf, type Route } from './routes.ts';

const base = (): URL => new URL(document.baseURI);
const current = (): Route => parseRoute(pathBelow(base(), new URL(location.href)) ?? '');

/** The History router: the address below the base of the page is the route. */
class Router {
  route = $state.raw<Route>({ name: 'home' });
  /** Query of the address, for pages that keep filters in it. */
  query = $state.raw(new URLSearchParams());

  /** Reads the address, then follows links inside the page and the browser's own Back and Forward. */
  start(): void {
    this.#read();
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Shows another page. `replace` leaves no entry in the browser's history. */
  go(route: Route, options: { readonly replace?: boolean; readonly query?: URLSearchParams } = {}): void {
    const query = options.query?.toString() ?? '';
    const url = this.href(route) + (query === '' ? '' : `?${query}`);
    if (options.replace === true) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    this.#read();
    scrollTo(0, 0);
  }

  /** Address of a route, for `href`: works below any sub-path. */
  href(route: Route): string {
    return new URL(pathOf(route), base()).href;
  }

  /** Takes the fragment out of the address bar and the history entry, and returns it. */
  takeFragment(): string {
    const fragment = location.hash.slice(1);
    if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
    return fragment;
  }

  #read(): void {
    this.route = current();
    this.query = new URLSearchParams(location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download')) return;
    const url = new URL(link.href, base());
    const path = pathBelow(base(), url);
    if (path === null || path.startsWith('api/') || url.hash !== '') return;
    event.preventDefault();
    this.go(parseRoute(path), { query: url.searchParams });
  }
}

/** The one router of the page. */
export const router = new Router();
