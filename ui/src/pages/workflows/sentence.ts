// What the server says begins with a small letter, as errors do; as a sentence of its own it begins with a capital.
export const sentence = (text: string | undefined) => (text ?? '').replace(/^\p{Ll}/u, (letter) => letter.toUpperCase()).replace(/([^.!?])$/, '$1.');
