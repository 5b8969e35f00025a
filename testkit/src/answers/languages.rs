//! Bytes per language.

use domain::{Event, NeedKey, Version};

use super::{Asker, Target, Told, etag_of};

const ETAG: &str = "languages";

impl Asker<'_> {
    pub(super) async fn ask_languages(&self, target: &Target) {
        let (stream, repo) = (target.stream(), target.id);
        let etag = match &target.repo.languages.bytes {
            Some(_) => self.etag(stream, ETAG, Some(repo), Version::NONE).await,
            None => None,
        };
        let about = NeedKey::Languages(repo);
        let asking = self.asking();
        let (world, date) = self.hear().await;
        let told = match world.public(repo) {
            None => Told::to(stream, vec![Event::Refused { about, status: 404 }]),
            Some(moment) if etag == Some(etag_of(&moment.truth.languages)) => {
                Told::to(stream, vec![Event::Checked { about }])
            }
            Some(moment) => {
                let languages = &moment.truth.languages;
                let bytes = languages.iter().map(|(name, bytes)| (name.clone().into(), *bytes)).collect();
                let asked_at = self.version(&asking, stream);
                let etag = etag_of(languages);
                Told::to(stream, vec![Event::Languages { repo, bytes }]).etag(
                    ETAG,
                    Some(repo),
                    etag,
                    asked_at,
                )
            }
        };
        self.append(&asking, date, vec![told]).await;
    }
}
