//! Stories that hold on both databases.

/// Makes two tests of each story, one a database.
macro_rules! on_both {
    ($($story:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $story() { super::$story(super::Home::sqlite().await).await; })* }
        mod postgres { $(#[tokio::test] async fn $story() { super::$story(super::Home::postgres().await).await; })* }
    };
}
pub(crate) use on_both;
