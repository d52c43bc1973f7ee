// What a page may give to a form: fields for the names that a schema asks for by `x-widget`, and what tries a value (`x-check`).
import type { Component } from 'svelte';
import type { FieldProps } from './field';

export interface Widgets {
  fields: Record<string, Component<FieldProps>>;
  check?: Component<FieldProps>;
}
