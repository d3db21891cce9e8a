/** Asks for the API's token when it wants one. */
import type { ApiClient } from "./api-client.ts";
import { byId, set } from "./elements.ts";
import { show } from "./job-view.ts";

export class TokenDialog {
  readonly #client: ApiClient;
  readonly #onToken: () => void;
  readonly #dialog = byId("token", HTMLDialogElement);
  readonly #input = byId("token-text", HTMLInputElement);

  constructor(client: ApiClient, onToken: () => void) {
    this.#client = client;
    this.#onToken = onToken;
    byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // There is nothing to see without it.
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  get isOpen(): boolean {
    return this.#dialog.open;
  }

  /** The API has answered 401. */
  open(): void {
    if (this.isOpen) return;
    this.#objectTo(this.#client.hasToken ? "The API did not take this token." : null);
    this.#client.setToken(null);
    this.#dialog.showModal();
  }

  #submit(): void {
    const token = this.#input.value.trim();
    if (!/^[\x21-\x7e]+$/.test(token)) {
      this.#objectTo("A token has printable characters and no blanks.");
      return;
    }
    this.#client.setToken(token);
    this.#input.value = "";
    this.#objectTo(null);
    this.#dialog.close();
    this.#onToken();
  }

  #objectTo(message: string | null): void {
    show("token-error", message);
    set(this.#input, { "aria-invalid": message === null ? null : "true" });
  }
}
