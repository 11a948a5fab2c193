"""What an IRI minimises. One value per image; images never influence one another."""

from torch import Tensor

from workers.iri.recipe import Recipe


def relative_error(response: Tensor, target_response: Tensor) -> Tensor:
    """||g(x) - g(x_t)||_2 / ||g(x_t)||_2 for each image: L_rep of Nanda et al. (AAAI 2023).

    `response`, `target_response`: (n, d). Returns (n,), 0 for a perfect match; infinite or NaN where
    the target's response is zero.

    >>> relative_error(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([1.2500])
    """
    return (response - target_response).norm(dim=1) / target_response.norm(dim=1)


def objective(recipe: Recipe, error: Tensor) -> Tensor:
    """The recipe's weighted sum for each image, from the images' relative errors (n,). Returns (n,)."""
    return sum((term.weight * error for term in recipe.objective), start=error.new_zeros(()))
