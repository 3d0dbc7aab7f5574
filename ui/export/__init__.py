"""Taking an answer, a conversation, a check or a briefing along: as a document, as rows, or as what it cites.

subject     what is taken along, whatever it is: a document, its rows, the articles it cites
document    headings, paragraphs, tables and references; markdown, docx_file and ui/html/document.py write it
csv_rows    its rows
works       the cited articles as works; bibtex, ris and csl write them for a reference manager
atom        the answers of briefings as a feed
formats     which formats there are, how their files end and are named
"""
