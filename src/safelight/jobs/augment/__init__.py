"""The verb augment: a set, with variants of its pictures. `augment` and `preview` have the functions.

`settings` has what they take and return; it can be imported without OpenCV.

    settings → request → prepared → plan → variants → files and manifest
"""
