"""Hooks of mkdocs for make docs: the navigation comes from docs/index.md, the first page from README.md and
it, and links to files outside of docs, which the site has not, become the names of these files."""

import logging
import os
import posixpath
import re

log = logging.getLogger("mkdocs")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def on_config(config):
    """Makes the navigation of the sections of index.md: a line that ends with a colon begins one."""
    sections, title = [{"Start": "index.md"}], None
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


def first_page(contents, config):
    """README.md with the list of documents of index.md in the place of the link to it."""
    with open(os.path.join(config["docs_dir"], os.pardir, "README.md"), encoding="utf-8") as file:
        readme = file.read()
    before, heading, rest = readme.partition("## Documents\n")
    if not heading:
        raise ValueError("README.md has no section Documents, where its first page has the list of documents")
    _, _, after = rest.strip().partition("\n\n")  # the paragraph before it has the link

    def within_docs(text):
        return re.sub(r"(\]\()(?!\w+:|#)", r"\1../", text).replace("](../docs/", "](")

    return within_docs(before) + contents.replace("# Documents", heading.strip(), 1) + "\n" + within_docs(after)


def on_page_markdown(markdown, page, config, files):
    """Leaves of a link that leads out of docs its text and the path of the file in the repository."""
    if page.file.src_uri == "index.md":
        markdown = first_page(markdown, config)
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


def on_page_content(html, page, config, files):
    """Warns, which is an error of make docs, of asterisks of mathematics that were taken for emphasis."""
    for found in re.findall(r"<em>([^\w<].{0,40})", html):
        log.warning("%s: is '*%s' emphasis? Write \\* for an asterisk", page.file.src_uri, found)
    return html
