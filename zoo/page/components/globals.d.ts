// What Gradio's HTML component gives to the script of one: its element, its properties, and the ways to talk back.
declare const element: HTMLElement;
declare const props: { value: any };
declare function watch(name: string, react: () => void): void;
declare function trigger(event: string, data?: object): void;
// What zoo/site/build.py puts before the scripts of the static page.
declare const site: any;
declare const components: Record<string, (...given: any[]) => void>;
declare const acts: { saveView: () => void; showRow: (key: string) => void };
declare function importScripts(...names: string[]): void;
/** Functions of Python that the component was given, by name. */
declare const server: Record<string, (asked: object) => Promise<any>>;
