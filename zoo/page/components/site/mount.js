// Components without Gradio: the markup, and what Gradio gives to their scripts.

import { one } from "../base/dom.js";

/**
 * Puts the component `name` into an element.
 * @returns {{value: any, on: (event: string, act: (data: any) => void) => void}} a new value is drawn at once
 */
export function mount(name, holder, value = null) {
  const [watchers, listeners, props] = [[], [], { value }];
  holder.replaceChildren(one(`#template-${name}`).content.cloneNode(true));
  const watch = (_name, react) => watchers.push(react);
  const trigger = (event, data = {}) => {
    for (const { kind, act } of listeners) if (kind === event) act(data);
  };
  components[name](holder, props, watch, trigger);
  return {
    get value() {
      return props.value;
    },
    set value(next) {
      props.value = next;
      for (const react of watchers) react();
    },
    on: (kind, act) => listeners.push({ kind, act }),
  };
}
