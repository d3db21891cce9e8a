"""Which pages a crawl of one host has to find: a plain breadth-first walk over a[href] and area[href].

Independent of the product on purpose: another language, another HTML parser, another URL parser.
Usage: breadth_first.py START_URL [MAX_DEPTH]; prints one URL a line with its depth, tab-separated.
"""

import sys
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import quote, urldefrag, urljoin, urlsplit, urlunsplit


class Links(HTMLParser):
    def __init__(self, url):
        super().__init__(convert_charrefs=True)
        self.base = url
        self.has_base = False
        self.found = []

    def handle_starttag(self, tag, attributes):
        values = {}
        for name, value in attributes:
            values.setdefault(name, value)
        href = values.get("href")
        if href is None:
            return
        if tag == "base" and not self.has_base:
            self.base = urljoin(self.base, href.strip())
            self.has_base = True
        if tag in ("a", "area") and "nofollow" not in (values.get("rel") or "").lower().split():
            self.found.append(href.strip())


def canonical(url):
    url = urldefrag(url).url
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, query, ""))


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


def main():
    start = canonical(sys.argv[1])
    max_depth = int(sys.argv[2]) if len(sys.argv) > 2 else None
    host = urlsplit(start).hostname
    opener = urllib.request.build_opener(NoRedirects)
    depths = {start: 0}
    queue = [start]
    while queue:
        url = queue.pop(0)
        depth = depths[url]
        targets = []
        try:
            with opener.open(url, timeout=30) as response:
                if "html" in (response.headers.get("content-type") or ""):
                    page = Links(url)
                    page.feed(response.read().decode("utf-8", "replace"))
                    targets = [(urljoin(page.base, href), depth + 1) for href in page.found]
        except urllib.error.HTTPError as error:
            location = error.headers.get("location")
            if 300 <= error.code < 400 and location:
                targets = [(urljoin(url, location), depth)]
        for target, target_depth in targets:
            if urlsplit(target).scheme not in ("http", "https"):
                continue
            target = canonical(target)
            if urlsplit(target).hostname != host or target in depths:
                continue
            if max_depth is not None and target_depth > max_depth:
                continue
            depths[target] = target_depth
            queue.append(target)
    for url, depth in depths.items():
        print(f"{url}\t{depth}")


main()
