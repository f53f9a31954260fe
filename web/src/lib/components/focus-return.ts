import { getContext, setContext } from 'svelte';

const KEY = Symbol('where the keyboard goes when a layer closes');

/**
 * For all layers below this component: where the keyboard goes when one closes. Call it while the component is made.
 * @param take takes the keyboard; false when there is nothing here that could
 */
export function offerFocus(take: () => boolean): void {
  setContext(KEY, take);
}

/**
 * Gives the keyboard back when a layer goes: to what the page offers, else to what had it before, else to the page's
 * content. In the very turn in which the layer goes: keys that come later than that must find their place again.
 * Call it while the layer is made, before anything in it takes the focus.
 * @returns the layer's `onCloseAutoFocus`
 */
export function focusReturn(): (event: Event) => void {
  const offered = getContext<(() => boolean) | undefined>(KEY);
  const before = document.activeElement;
  return (event) => {
    event.preventDefault();
    if (offered?.() === true) return;
    if (before instanceof HTMLElement && before.isConnected && before !== document.body)
      before.focus({ preventScroll: true });
    else document.getElementById('content')?.focus({ preventScroll: true });
  };
}
