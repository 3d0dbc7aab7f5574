"""Index a feed, a page, a file or a folder into a home of its own, and list what is new.

python examples/index_feed.py my-home https://news.example/feed.xml
"""

import sys

from citewire import Index

home, *sources = sys.argv[1:]
with Index.open(home) as index:
    before = {article.id for article in index.articles()}
    report = index.sync(sources)
    print(report)
    for failure in report.failed:
        print(f"not read: {failure.path}: {failure.reason}", file=sys.stderr)
    for article in index.articles():
        if article.id not in before:
            print(f"{article.published or 'undated':<12}{article.headline}")
