//! What a query costs, before it runs: for each connection one request for each of the nodes above it; all of
//! them, divided by 100, are the points. And how many nodes it may bring, of which there is a limit.

use async_graphql::{
    Name, Value, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, Field, Selection, SelectionSet},
};

/// Nodes that a query may ask for.
const NODES_MAX: u64 = 500_000;
/// Entries of a page.
const PAGE_MAX: u64 = 100;

/// What a query costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) points: u64,
    pub(super) nodes: u64,
}

/// Why a query is not run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CostError {
    #[error("You must provide a `first` or `last` value to properly paginate the `{0}` connection.")]
    NoBounds(String),
    #[error("Requesting {1} records on the `{0}` connection exceeds the `first` limit of 100 records.")]
    PageTooLong(String, u64),
    #[error("This query requests up to {0} possible nodes which exceeds the maximum limit of 500,000.")]
    TooManyNodes(u64),
}

impl CostError {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            CostError::NoBounds(_) => "MISSING_PAGINATION_BOUNDARIES",
            CostError::PageTooLong(..) => "EXCESSIVE_PAGINATION",
            CostError::TooManyNodes(_) => "MAX_NODE_LIMIT_EXCEEDED",
        }
    }
}

/// What running a document once costs.
pub(super) fn of(document: &ExecutableDocument, variables: &Variables) -> Result<Cost, CostError> {
    let mut count = Count { document, variables, requests: 0, nodes: 0 };
    match &document.operations {
        DocumentOperations::Single(operation) => count.selection(&operation.node.selection_set.node, 1)?,
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values() {
                count.selection(&operation.node.selection_set.node, 1)?;
            }
        }
    }
    if count.nodes > NODES_MAX {
        return Err(CostError::TooManyNodes(count.nodes));
    }
    // Rounded to the nearest, and never nothing.
    Ok(Cost { points: ((count.requests + 50) / 100).max(1), nodes: count.nodes })
}

struct Count<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    requests: u64,
    nodes: u64,
}

impl Count<'_> {
    /// Counts what is below `parents` nodes.
    fn selection(&mut self, set: &SelectionSet, parents: u64) -> Result<(), CostError> {
        let document = self.document;
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.field(&field.node, parents)?,
                Selection::InlineFragment(fragment) => {
                    self.selection(&fragment.node.selection_set.node, parents)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.selection(&fragment.node.selection_set.node, parents)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, parents: u64) -> Result<(), CostError> {
        let set = &field.selection_set.node;
        let asks_for = |names: &[&str]| {
            set.items.iter().any(|item| {
                matches!(&item.node, Selection::Field(field) if names.contains(&field.node.name.node.as_str()))
            })
        };
        if !asks_for(&["nodes", "edges", "totalCount", "pageInfo"]) {
            return self.selection(set, parents);
        }
        self.requests = self.requests.saturating_add(parents);
        let name = field.name.node.to_string();
        let page = match self.number(field, "first").or_else(|| self.number(field, "last")) {
            Some(page) if page > PAGE_MAX => return Err(CostError::PageTooLong(name, page)),
            Some(page) => page,
            None if asks_for(&["nodes", "edges"]) => return Err(CostError::NoBounds(name)),
            None => 0,
        };
        let nodes = parents.saturating_mul(page);
        self.nodes = self.nodes.saturating_add(nodes);
        self.selection(set, nodes)
    }

    fn number(&self, field: &Field, argument: &str) -> Option<u64> {
        let value = &field.get_argument(argument)?.node;
        let value = value.clone().into_const_with(|name: Name| self.variables.get(&name).cloned().ok_or(()));
        match value {
            Ok(Value::Number(number)) => number.as_u64(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn cost(query: &str, variables: serde_json::Value) -> Result<Cost, CostError> {
        of(&parse_query(query).unwrap(), &Variables::from_json(variables))
    }

    /// The example of GitHub's own page about the limit: 51 points, 22 060 nodes.
    #[test]
    fn the_example_of_the_documentation_costs_what_it_says() {
        let query = "query { viewer { login repositories(first: 100) { edges { node { id
            issues(first: 50) { totalCount edges { node { id labels(first: 60) { edges { node { id name } } } } } } } } } } }";
        let cost = cost(query, serde_json::Value::Null).unwrap();
        assert_eq!((cost.points, cost.nodes), (51, 100 + 100 * 50 + 100 * 50 * 60));
    }

    #[test]
    fn pages_are_bounded_and_variables_are_read() {
        let query =
            "query($n: Int!) { repositoryOwner(login: \"a\") { repositories(first: $n) { nodes { id } } } }";
        assert_eq!(cost(query, serde_json::json!({ "n": 50 })), Ok(Cost { points: 1, nodes: 50 }));
        let error = |query, n: u64| cost(query, serde_json::json!({ "n": n })).unwrap_err().kind();
        assert_eq!(error(query, 101), "EXCESSIVE_PAGINATION");
        let unbound = "query { repositoryOwner(login: \"a\") { repositories { nodes { id } } } }";
        assert_eq!(error(unbound, 1), "MISSING_PAGINATION_BOUNDARIES");
        let counted = "query { repositoryOwner(login: \"a\") { repositories { totalCount } } }";
        assert_eq!(cost(counted, serde_json::Value::Null), Ok(Cost { points: 1, nodes: 0 }));
        let deep = "query($n: Int!) { a { repositories(first: $n) { nodes { b(first: 100) { nodes { c(first: 100) { nodes { id } } } } } } } }";
        assert_eq!(error(deep, 100), "MAX_NODE_LIMIT_EXCEEDED");
    }
}
