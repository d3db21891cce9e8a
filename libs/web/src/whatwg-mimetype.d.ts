/** The part of whatwg-mimetype, which ships no types, that is used here. */
declare module "whatwg-mimetype" {
  export class MIMEType {
    static parse(text: string): MIMEType | null;
    readonly essence: string;
    readonly parameters: { get(name: string): string | undefined };
    isHTML(): boolean;
    isXML(): boolean;
  }
}
