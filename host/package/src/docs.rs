//! The docs and type names of a plugin's WIT: compilation removes both, so `keyturn plugin pack` puts them into the manifest.
//! They are the plugin's claim: code that shows them compares them with the component's own types.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// The docs of a plugin's hooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Docs {
    /// Interfaces, by their full name, as the component exports them: `acme:report/report@2.3.0`.
    pub interfaces: BTreeMap<String, InterfaceDocs>,
    /// Named types, by the full name of the interface that defines them, a dot, and their own name. They may be from another
    /// package.
    pub types: BTreeMap<String, TypeDocs>,
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct InterfaceDocs {
    /// Its doc comment.
    pub docs: String,
    /// Its functions.
    pub functions: BTreeMap<String, FunctionDocs>,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FunctionDocs {
    /// Its doc comment.
    pub docs: String,
    /// The names of its parameters' types, in order.
    pub parameters: Vec<Said>,
    /// The name of its result's type.
    pub result: Said,
}

/// The name of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said {
    /// It has no name.
    #[default]
    Plain,
    /// A key of [`Docs::types`].
    Named(String),
    /// It has no name, but its parts may: an option's or list's one type, a tuple's, a result's two.
    Of(Vec<Said>),
}

/// A named type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TypeDocs {
    /// Its doc comment.
    pub docs: String,
    /// Fields or cases, in order; none for an alias.
    pub members: Vec<MemberDocs>,
    /// The type that this one is an alias of.
    pub alias: Said,
}

/// A field or case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MemberDocs {
    /// Its name.
    pub name: String,
    /// Its doc comment.
    pub docs: String,
    /// The name of its type.
    pub of: Said,
}

impl Said {
    /// The name of the part at `at`.
    #[must_use]
    pub fn part(&self, at: usize) -> &Said {
        match self {
            Said::Of(parts) => parts.get(at).unwrap_or(&Said::Plain),
            _ => &Said::Plain,
        }
    }
}

impl FunctionDocs {
    /// What it does: the first sentence, without its full stop.
    #[must_use]
    pub fn first_sentence(&self) -> Option<&str> {
        let first = self.docs.split_once(". ").map_or(self.docs.as_str(), |(first, _)| first);
        let first = first.lines().next()?.trim().trim_end_matches('.');
        (!first.is_empty()).then_some(first)
    }
}

impl Docs {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty()
    }

    /// The docs of a function.
    #[must_use]
    pub fn function(&self, interface: &str, function: &str) -> Option<&FunctionDocs> {
        self.interfaces.get(interface)?.functions.get(function)
    }

    /// Reads WIT files or folders, each after those that it uses, and returns the docs of the named interfaces.
    ///
    /// # Errors
    /// The path, and the parser's message.
    pub fn read(paths: &[impl AsRef<Path>], interfaces: &[String]) -> Result<Self, String> {
        let mut resolve = Resolve::default();
        for path in paths {
            resolve.push_path(path).map_err(|cause| format!("{}: {cause:#}", path.as_ref().display()))?;
        }
        let mut reader = Reader { resolve: &resolve, docs: Self::default() };
        for (id, interface) in &resolve.interfaces {
            let Some(name) = resolve.id_of(id).filter(|name| interfaces.contains(name)) else { continue };
            let functions = interface.functions.iter().map(|(function, ty)| {
                let parameters = ty.params.iter().map(|parameter| reader.said(&parameter.ty)).collect();
                let result = ty.result.as_ref().map_or(Said::Plain, |ty| reader.said(ty));
                (function.clone(), FunctionDocs { docs: text(&ty.docs), parameters, result })
            });
            let functions = functions.collect();
            reader.docs.interfaces.insert(name, InterfaceDocs { docs: text(&interface.docs), functions });
        }
        Ok(reader.docs)
    }
}

struct Reader<'a> {
    resolve: &'a Resolve,
    docs: Docs,
}

impl Reader<'_> {
    fn said(&mut self, ty: &Type) -> Said {
        match ty {
            Type::Id(id) => self.defined(*id),
            _ => Said::Plain,
        }
    }

    fn defined(&mut self, id: TypeId) -> Said {
        let resolve = self.resolve;
        let ty = &resolve.types[id];
        let (Some(name), TypeOwner::Interface(owner)) = (&ty.name, &ty.owner) else { return self.made_of(&ty.kind) };
        // A type that an interface uses from another belongs to the other.
        if let TypeDefKind::Type(Type::Id(other)) = &ty.kind
            && resolve.types[*other].name.as_ref() == Some(name)
        {
            return self.defined(*other);
        }
        let key = format!("{}.{name}", resolve.id_of(*owner).unwrap_or_default());
        if !self.docs.types.contains_key(&key) {
            let docs = self.type_docs(id);
            self.docs.types.insert(key.clone(), docs);
        }
        Said::Named(key)
    }

    fn type_docs(&mut self, id: TypeId) -> TypeDocs {
        let ty = &self.resolve.types[id];
        let mut member = |name: &str, docs: &wit_parser::Docs, of: Option<&Type>| MemberDocs {
            name: name.to_owned(),
            docs: text(docs),
            of: of.map_or(Said::Plain, |of| self.said(of)),
        };
        let members = match &ty.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().map(|field| member(&field.name, &field.docs, Some(&field.ty))).collect()
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().map(|case| member(&case.name, &case.docs, case.ty.as_ref())).collect()
            }
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| member(&case.name, &case.docs, None)).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| member(&flag.name, &flag.docs, None)).collect(),
            _ => Vec::new(),
        };
        TypeDocs { docs: text(&ty.docs), members, alias: self.made_of(&ty.kind) }
    }

    fn made_of(&mut self, kind: &TypeDefKind) -> Said {
        let parts: Vec<Said> = match kind {
            TypeDefKind::Type(ty) => return self.said(ty),
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) => vec![self.said(ty)],
            TypeDefKind::Tuple(tuple) => tuple.types.iter().map(|ty| self.said(ty)).collect(),
            TypeDefKind::Result(result) => [&result.ok, &result.err]
                .into_iter()
                .map(|side| side.as_ref().map_or(Said::Plain, |ty| self.said(ty)))
                .collect(),
            _ => return Said::Plain,
        };
        if parts.iter().all(|part| *part == Said::Plain) { Said::Plain } else { Said::Of(parts) }
    }
}

fn text(docs: &wit_parser::Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_and_names_are_read_through_uses_lists_and_options() {
        let folder = tempfile::tempdir().expect("a folder");
        let wit = "
            package acme:report@2.3.0;
            interface shapes {
              /// Twelve of them.
              type dozen = u32;
              /// How wide.
              record width {
                /// In metres.
                low: dozen,
                many: list<option<dozen>>,
              }
            }
            /// The report.
            interface report {
              use shapes.{width};
              /// Measures.
              measure: func(width: option<width>, plain: string) -> result<list<width>, string>;
            }
            interface other { nothing: func(); }
        ";
        std::fs::write(folder.path().join("report.wit"), wit).expect("written");
        let name = "acme:report/report@2.3.0".to_owned();
        let docs = Docs::read(&[folder.path()], std::slice::from_ref(&name)).expect("reads");
        assert_eq!(docs.interfaces.len(), 1);
        assert_eq!(docs.interfaces[&name].docs, "The report.");
        let (width, dozen) = ("acme:report/shapes@2.3.0.width", "acme:report/shapes@2.3.0.dozen");
        let measure = docs.function(&name, "measure").expect("there");
        assert_eq!(measure.docs, "Measures.");
        assert_eq!(measure.parameters, [Said::Of(vec![Said::Named(width.to_owned())]), Said::Plain]);
        assert_eq!(measure.result.part(0).part(0), &Said::Named(width.to_owned()));
        let members = &docs.types[width].members;
        assert_eq!((members[0].docs.as_str(), &members[0].of), ("In metres.", &Said::Named(dozen.to_owned())));
        assert_eq!(members[1].of.part(0).part(0), &Said::Named(dozen.to_owned()));
        assert_eq!(docs.types[dozen].docs, "Twelve of them.");
        let json = serde_json::to_string(&docs).expect("writes");
        assert_eq!(serde_json::from_str::<Docs>(&json).expect("reads"), docs);
    }

    #[test]
    fn what_does_not_parse_is_named_with_what_was_expected() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("report.wit"), "package acme:report;\ninterface {").expect("written");
        let refused = Docs::read(&[folder.path()], &[]).expect_err("refused");
        let path = folder.path().display().to_string();
        assert!(refused.contains(&path) && refused.contains("expected an identifier"), "{refused}");
    }

    #[test]
    fn everything_in_the_contract_has_a_doc() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut resolve = Resolve::default();
        for package in ["panel", "ui", "password"] {
            resolve.push_path(root.join(package)).expect("parses");
        }
        let mut all = Vec::new();
        for (id, interface) in &resolve.interfaces {
            let name = resolve.id_of(id).expect("named");
            all.push((name.clone(), &interface.docs));
            all.extend(interface.functions.iter().map(|(function, it)| (format!("{name}.{function}"), &it.docs)));
        }
        for (_, ty) in &resolve.types {
            let TypeOwner::Interface(owner) = ty.owner else { continue };
            let name = format!("{}.{}", resolve.id_of(owner).expect("named"), ty.name.as_deref().unwrap_or_default());
            // A type that an interface uses of another has its doc there.
            if ty.name.is_some() && !matches!(ty.kind, TypeDefKind::Type(Type::Id(_))) {
                all.push((name.clone(), &ty.docs));
            }
            let of = |member: &str| format!("{name}.{member}");
            match &ty.kind {
                TypeDefKind::Record(record) => all.extend(record.fields.iter().map(|it| (of(&it.name), &it.docs))),
                TypeDefKind::Variant(variant) => all.extend(variant.cases.iter().map(|it| (of(&it.name), &it.docs))),
                TypeDefKind::Enum(cases) => all.extend(cases.cases.iter().map(|it| (of(&it.name), &it.docs))),
                TypeDefKind::Flags(flags) => all.extend(flags.flags.iter().map(|it| (of(&it.name), &it.docs))),
                _ => {}
            }
        }
        assert!(all.len() > 300, "{}", all.len());
        let silent: Vec<String> =
            all.into_iter().filter(|(_, docs)| text(docs).is_empty()).map(|(name, _)| name).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
