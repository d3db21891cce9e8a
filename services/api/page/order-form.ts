/** The form for a new job, and the API's objections beside its fields. */
import type { ApiClient } from "./api-client.ts";
import { byId, set } from "./elements.ts";
import {
  formFields,
  orderBody,
  placeErrors,
  type FieldError,
  type FormField,
  type FormValues,
} from "./job-order.ts";
import { show } from "./job-view.ts";

const none: readonly FieldError[] = [];

export class OrderForm {
  readonly #client: ApiClient;
  readonly #onSubmitted: (id: string) => void;
  readonly #dialog = byId("order", HTMLDialogElement);
  readonly #form = byId("order-form", HTMLFormElement);
  readonly #button = byId("order-submit", HTMLButtonElement);
  /** The same until something is changed: an answer that was lost does not make two jobs. */
  #key: string | null = null;

  constructor(client: ApiClient, onSubmitted: (id: string) => void) {
    this.#client = client;
    this.#onSubmitted = onSubmitted;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#form.addEventListener("input", () => {
      this.#key = null;
    });
    byId("order-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  open(): void {
    this.#dialog.showModal();
    field("seeds").focus();
  }

  async #submit(): Promise<void> {
    if (this.#button.disabled) return;
    const values = valuesOf();
    this.#key ??= randomKey();
    this.#button.disabled = true;
    const answer = await this.#client.post<{ readonly id: string }>("v1/jobs", orderBody(values), this.#key);
    this.#button.disabled = false;
    if (answer.kind === "problem") {
      // Whoever did not answer may have taken it; who refused it did not.
      if (answer.status >= 400 && answer.status < 500) this.#key = null;
      const { detail, status, errors } = answer;
      showErrors(status === 401 ? [{ field: "body", message: detail }] : errors, values, detail);
      return;
    }
    this.#key = null;
    showErrors(none, values, null);
    this.#form.reset();
    this.#dialog.close();
    this.#onSubmitted(answer.body.id);
  }
}

/** The first field at fault gets the focus. */
function showErrors(errors: readonly FieldError[], values: FormValues, detail: string | null): void {
  const { fields, rest } = placeErrors(errors, values);
  for (const name of formFields) {
    const messages = fields.get(name) ?? [];
    show(`${name}-error`, messages.length === 0 ? null : messages.join("\n"));
    set(field(name), { "aria-invalid": messages.length === 0 ? null : "true" });
  }
  const general = rest.length > 0 ? rest.join("; ") : errors.length === 0 ? detail : null;
  show("order-error", general);
  const first = formFields.find((name) => fields.has(name));
  if (first !== undefined) field(first).focus();
}

function field(name: FormField): HTMLElement {
  return byId(name, HTMLElement);
}

function valuesOf(): FormValues {
  const data = new FormData(byId("order-form", HTMLFormElement));
  const entries = formFields.map((name) => [name, String(data.get(name) ?? "")]);
  return Object.fromEntries(entries) as FormValues;
}

/** Not randomUUID, which only pages have that came over TLS or from this machine. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
