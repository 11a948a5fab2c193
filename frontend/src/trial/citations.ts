/** What to cite, in the styles that jsPsych's `getCitations` knows. */
export const citations = {
  apa:
    "Nanda, V., Majumdar, A., Kolling, C., Dickerson, J. P., Gummadi, K. P., Love, B. C., & Weller, A. (2023). " +
    "Do Invariances in Deep Neural Networks Align with Human Perception? Proceedings of the AAAI Conference on " +
    "Artificial Intelligence. https://arxiv.org/abs/2111.14726",
  bibtex:
    "@inproceedings{Nanda2023Invariances, author = {Nanda, Vedant and Majumdar, Ayan and Kolling, Camila and " +
    "Dickerson, John P. and Gummadi, Krishna P. and Love, Bradley C. and Weller, Adrian}, title = {Do Invariances in " +
    "Deep Neural Networks Align with Human Perception?}, booktitle = {Proceedings of the AAAI Conference on " +
    "Artificial Intelligence}, year = {2023}, url = {https://arxiv.org/abs/2111.14726} }",
};
