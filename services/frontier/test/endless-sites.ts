/** Sites that have much of what traps are told by and are none, and traps: which path or URL leads to which. */
type Add = (from: string, ...to: readonly string[]) => void;

const two = (number: number): string => String(number).padStart(2, "0");
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

/** Every shape, each page reached in one way only; what is left of the size is a wiki whose leaves lead nowhere. */
export function goodSite(size: number): ReadonlyMap<string, readonly string[]> {
  const links = new Map<string, string[]>();
  const add: Add = (from, ...to) => {
    links.set(from, [...(links.get(from) ?? []), ...to]);
    for (const path of to) if (!links.has(path)) links.set(path, []);
  };
  for (const shape of shapes) shape(add);
  const wiki = Math.max(10, size - links.size);
  for (const page of numbers(wiki))
    for (let child = page * 4 + 1; child <= page * 4 + 4 && child < wiki; child += 1)
      add(page === 0 ? "/" : `/wiki?id=${page}`, `/wiki?id=${child}`);
  return links;
}

const shapes: readonly ((add: Add) => void)[] = [
  /** Ten years of events that are reached from month to month, with a summer without any; a year of it has pages of days. */
  (add) => {
    const months = 120;
    const monthOf = (at: number): string => `/events/${2016 + Math.floor(at / 12)}/${two((at % 12) + 1)}/`;
    add("/", monthOf(months - 1));
    for (const at of numbers(months).toReversed()) {
      if (at > 0) add(monthOf(at), monthOf(at - 1));
      const isSummer = at % 12 === 6 || at % 12 === 7;
      if (!isSummer) for (const event of numbers(2)) add(monthOf(at), `${monthOf(at)}meeting-${event}`);
      if (at >= months - 12)
        for (const day of numbers(28)) add(monthOf(at), `${monthOf(at)}${two(day + 1)}/`);
    }
  },
  /** An archive that is reached only by the next link, and a thread of a forum. */
  (add) => {
    for (const name of ["archive", "thread/7"])
      for (const page of numbers(100))
        add(page === 0 ? "/" : `/${name}?page=${page}`, `/${name}?page=${page + 1}`);
  },
  /** A blog, by date. */
  (add) => {
    for (const day of numbers(28)) {
      add("/", `/2024/05/${two(day + 1)}/`);
      add(`/2024/05/${two(day + 1)}/`, `/2024/05/${two(day + 1)}/post`);
    }
  },
  /** A source tree whose lower half is deeper than 12 folders: folders side by side, in each of them files and a folder with more. */
  (add) => {
    const top = "/a/b/c/d/e/f/g/h/i/j/k/l/";
    add("/", top);
    for (const folder of numbers(20)) {
      const path = `${top}dir${folder}/`;
      add(top, path);
      for (const file of numbers(3)) add(path, `${path}file${file}`);
      add(path, `${path}sub/`);
      add(`${path}sub/`, `${path}sub/file`);
    }
  },
  /** Packages within packages within packages. */
  (add) => {
    const path = "/pkg/node_modules/x/node_modules/y/node_modules/";
    add("/", path);
    for (const file of numbers(60)) add(path, `${path}z${file}`);
  },
  /** A shop with filters: the fifth of a kind is where it ends. */
  (add) => {
    const filtered = (count: number): string =>
      `/shop?${numbers(count)
        .map((at) => `f=${at}`)
        .join("&")}`;
    add("/", filtered(1));
    for (const count of [1, 2, 3]) add(filtered(count), filtered(count + 1));
    for (const last of numbers(30)) add(filtered(4), `${filtered(4)}&f=x${last}`);
  },
  /** One look leads to another: packages within packages, so deep that they are suspected for that. */
  (add) => {
    const path = "/src/vendor/one/vendor/two/vendor/";
    const deep = `${path}a/b/c/d/e/f/g/h/`;
    add("/", path);
    add(path, deep);
    for (const file of numbers(10)) add(deep, `${deep}file${file}`);
  },
  (add) => add("/", `/${"folder/".repeat(2)}page`, `/search?q=${"long".repeat(200)}`),
];

/**
 * Blogs on host names of one domain: every tenth says nothing and leads only to another, as hosts do that a server makes
 * up; half of them are found on other blogs alone. URLs and where they lead.
 */
export function blogs(count: number): ReadonlyMap<string, readonly string[]> {
  const home = (blog: number): string => `http://blog${blog}.blogs.example/`;
  const listed = Math.ceil(count / 2);
  const links = new Map<string, readonly string[]>([
    ["http://www.blogs.example/", numbers(listed).map(home)],
  ]);
  for (const blog of numbers(count)) {
    const unlisted = listed + blog;
    const to = unlisted < count ? unlisted : blog >> 1;
    const posts = blog % 10 === 0 ? [] : [`${home(blog)}post`];
    links.set(home(blog), [...posts, home(to)]);
    for (const post of posts) links.set(post, []);
  }
  return links;
}

/** Each host leads to three others that nobody else leads to, as far as a crawl may get. */
export function endlessHosts(count: number): ReadonlyMap<string, readonly string[]> {
  const home = (at: number): string => `http://${at === 0 ? "" : `h${at}.`}trap.example/`;
  const children = (at: number): readonly number[] =>
    [1, 2, 3].map((child) => at * 3 + child).filter((child) => child < count);
  return new Map(numbers(count).map((at) => [home(at), children(at).map(home)]));
}

type Endless = (path: string) => readonly string[] | null;

const number = (text: string | undefined): number => Number(text ?? 0);

/** What each kind of trap leads to from a path. Each page of it leads to more of its kind, and back to its beginning. */
export const endlessPaths: Readonly<Record<string, Endless>> = {
  /** Two relative links that were meant to begin with a slash. */
  "path repetition": (path) => ["/", `${path}shop/`, `${path}about/`],
  /** Months to both sides, with their days. */
  calendar: (path) => {
    const found = /^\/calendar\/(\d{4})\/(\d\d)\/(?:\d\d\/)?$/.exec(path);
    const month = found === null ? 2026 * 12 + 10 : number(found[1]) * 12 + number(found[2]) - 1;
    const link = (at: number): string =>
      `/calendar/${Math.floor(at / 12)}/${String((at % 12) + 1).padStart(2, "0")}/`;
    const days = Array.from({ length: 28 }, (_, day) => `${link(month)}${String(day + 1).padStart(2, "0")}/`);
    return ["/", link(month - 1), link(month + 1), ...days];
  },
  /** Twenty pages, linked from each under an id that is made for the visit. */
  "session id in the query": (path) => {
    const id = idAfter(path);
    return Array.from({ length: 20 }, (_, page) => `/page/${page}?PHPSESSID=${id}`);
  },
  "session id in the path": (path) => {
    const id = idAfter(path);
    return Array.from({ length: 20 }, (_, page) => `/page/${page};jsessionid=${id}`);
  },
  /** Each link brings the address of the page along. */
  "too long": (path) => ["/", ...["/a", "/b"].map((to) => `${to}?from=${encodeURIComponent(path)}`)],
  "too deep": (path) => ["/", `${path}${path.length.toString(36)}x/`],
};

/** Looks drawn, and is the same for the same page. */
function idAfter(path: string): string {
  let state = 7;
  for (let at = 0; at < path.length; at += 1) state = (state * 31 + path.charCodeAt(at)) % 2 ** 31;
  return `${state.toString(16)}${(state * 977).toString(16)}`.padStart(26, "0").slice(0, 26);
}
