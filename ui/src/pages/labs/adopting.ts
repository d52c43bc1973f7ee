// A document for libraries that write style elements, which the Content-Security-Policy refuses: theirs are adopted style sheets, and
// what they put into a `style` attribute goes through the element's own object.

/** An element that looks like a style element to whoever fills it. */
function styleElement(): HTMLElement {
  const element = document.createElement('span');
  element.hidden = true;
  const sheet = new CSSStyleSheet();
  let text = '';
  Object.defineProperty(element, 'textContent', {
    get: () => text,
    set: (value: string) => {
      text = value;
      sheet.replaceSync(value);
    },
  });
  Object.defineProperty(element, 'sheet', { get: () => sheet });
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

function plain(name: string): HTMLElement {
  const element = document.createElement(name);
  element.setAttribute = (key: string, value: string) => {
    if (key === 'style') element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, key, value);
  };
  return element;
}

/** The document, but for how it makes elements. */
export function adoptingDocument(): Document {
  return new Proxy(document, {
    get(target, key) {
      if (key === 'createElement') return (name: string) => (name === 'style' ? styleElement() : name === 'span' ? plain(name) : target.createElement(name));
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(target) : value;
    },
  });
}
