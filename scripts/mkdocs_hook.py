"""Hooks of mkdocs for make docs: the navigation comes from docs/index.md, and links to files outside
of docs, which the site has not, become the names of these files."""

import os
import posixpath
import re

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def on_config(config):
    """Makes the navigation of the sections of index.md: a line that ends with a colon begins one."""
    sections, title = [{"Contents": "index.md"}], None
    with open(os.path.join(config["docs_dir"], "index.md"), encoding="utf-8") as index:
        for line in index:
            if line.rstrip().endswith(":") and not line.startswith(("#", " ", "-")) and not line[0].isdigit():
                title = line.strip().rstrip(":")
                sections.append({title: []})
                continue
            for text, target in LINK.findall(line):
                if title and target.endswith(".md"):
                    sections[-1][title].append({text[0].upper() + text[1:]: target})
    config["nav"] = sections
    return config


def on_page_markdown(markdown, page, config, files):
    """Leaves of a link that leads out of docs its text and the path of the file in the repository."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def plain(match):
        text, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match.group(0)
        path = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        if path.startswith("docs/"):
            return match.group(0)
        return text if path in text else f"{text} (`{path}`)"

    return LINK.sub(plain, markdown)
