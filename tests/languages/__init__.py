"""The files of languages, beside what the console says.

`python -m tests.languages` brings each `worker/console/languages/*.po` up to date: texts that are
new are added without a translation, texts that nothing uses are taken out.
`python -m tests.languages fr` begins the file of another language.
"""
