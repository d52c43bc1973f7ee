// What every field of a form is given.
import type { Schema } from './schema';

export interface FieldProps {
  schema: Schema;
  value: unknown;
  /** Its place in the form's value (JSON Pointer). */
  pointer: string;
  label: string;
  required: boolean;
  onchange: (value: unknown) => void;
}
